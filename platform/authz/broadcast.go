package authz

import (
	"fmt"
	"strings"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
)

// HandleEvent drops what an event of the organization service makes old. It is fed by the broadcast reader, so every
// process hears every event, more than once perhaps. What is about one member or one assignment of a single subject
// drops that subject; everything else that can change who may do what drops the organization.
func (a *Access) HandleEvent(event bus.Event) error {
	entity, action, ok := strings.Cut(strings.TrimPrefix(event.Type, "organization."), ".")
	if !ok || !strings.HasPrefix(event.Type, "organization.") {
		return nil
	}
	if event.OrganizationID.IsZero() {
		return fmt.Errorf("read %s: it names no organization", event.Type)
	}
	switch entity {
	case "organization":
		// A new name changes nobody's access; a new state changes everybody's.
		if action != "created" && action != "updated" {
			a.DropOrganization(event.OrganizationID)
		}
	case "member":
		userID, err := id.Parse(strings.TrimPrefix(event.Subject, "member/"))
		if err != nil {
			return fmt.Errorf("read %s: member: %w", event.Type, err)
		}
		a.Drop(event.OrganizationID, userID)
	case "assignment":
		return a.dropAssigned(event)
	case "support_grant":
		// That one was used changes nobody's access.
		if action != "used" {
			a.DropOrganization(event.OrganizationID)
		}
	case "invitation", "invitation_link":
	default:
		a.DropOrganization(event.OrganizationID)
	}
	return nil
}

// dropAssigned drops who an assignment is for.
func (a *Access) dropAssigned(event bus.Event) error {
	var changed interface {
		GetAssignment() *organizationv1.Assignment
	}
	var err error
	switch event.Type {
	case "organization.assignment.created":
		created := &organizationv1.AssignmentCreated{}
		changed, err = created, event.Unmarshal(created)
	case "organization.assignment.deleted":
		deleted := &organizationv1.AssignmentDeleted{}
		changed, err = deleted, event.Unmarshal(deleted)
	default:
		a.DropOrganization(event.OrganizationID)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	subject := changed.GetAssignment().GetSubject()
	subjectID, err := id.Parse(subject.GetId())
	if err != nil {
		return fmt.Errorf("read %s: subject: %w", event.Type, err)
	}
	if subject.GetType() == organizationv1.Subject_TEAM {
		a.DropOrganization(event.OrganizationID)
		return nil
	}
	a.Drop(event.OrganizationID, subjectID)
	return nil
}
