package identity_test

import (
	"context"
	"sync"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/id"
)

// belongs stands for organization: who is a member, and what of.
type belongs struct {
	mu    sync.Mutex
	roles map[[2]id.ID]string
	fault error
	// policy, connection and joined are those of every organization and member.
	policy     *organizationv1.Policy
	connection id.ID
	joined     time.Time
}

func (b *belongs) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *belongs) put(organizationID, userID id.ID, role string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.roles[[2]id.ID{organizationID, userID}] = role
}

func (b *belongs) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = err
}

// effective answers for who belongs somewhere, and else by the roles of the harness. It is an authz.Source.
func (h *harness) effective(ctx context.Context, organizationID, userID id.ID, knownRoles int64) (authz.Answer, error) {
	h.belongs.mu.Lock()
	role, member := h.belongs.roles[[2]id.ID{organizationID, userID}]
	fault, policy, connection, joined := h.belongs.fault, h.belongs.policy, h.belongs.connection, h.belongs.joined
	h.belongs.mu.Unlock()
	switch {
	case fault != nil:
		return authz.Answer{}, fault
	case member:
		return authz.Answer{Member: true, RoleIDs: []string{role}}, nil
	}
	answer, err := h.roles.Effective(ctx, organizationID, userID, knownRoles)
	answer.Policy, answer.RequiredConnection, answer.JoinedAt = policy, connection, joined
	return answer, err
}
