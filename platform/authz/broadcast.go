package authz

import (
	"fmt"
	"strings"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"google.golang.org/protobuf/proto"
)

// HandleEvent drops what an event of the organization service makes old. It is fed by the broadcast reader, so every
// process hears every event, more than once perhaps.
func (a *Access) HandleEvent(event bus.Event) error {
	var changed interface {
		proto.Message
		GetOrganizationId() string
		GetUserId() string
	}
	switch event.Type {
	case "organization.member.added":
		changed = &organizationv1.MemberAdded{}
	case "organization.member.removed":
		changed = &organizationv1.MemberRemoved{}
	case "organization.member.roles_changed":
		changed = &organizationv1.MemberRolesChanged{}
	case "organization.organization.created", "organization.organization.updated":
		return nil
	default:
		if strings.HasPrefix(event.Type, "organization.organization.") {
			a.DropOrganization(event.OrganizationID)
		}
		return nil
	}
	if err := event.Unmarshal(changed); err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	organizationID, err := id.Parse(changed.GetOrganizationId())
	if err != nil {
		return fmt.Errorf("read %s: organization: %w", event.Type, err)
	}
	userID, err := id.Parse(changed.GetUserId())
	if err != nil {
		return fmt.Errorf("read %s: user: %w", event.Type, err)
	}
	a.Drop(organizationID, userID)
	return nil
}
