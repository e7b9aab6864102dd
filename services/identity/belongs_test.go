package identity_test

import (
	"context"
	"sync"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/id"
)

// belongs stands for organization: who is a member, and what of.
type belongs struct {
	mu    sync.Mutex
	roles map[[2]id.ID]string
	fault error
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
	fault := h.belongs.fault
	h.belongs.mu.Unlock()
	switch {
	case fault != nil:
		return authz.Answer{}, fault
	case member:
		return authz.Answer{Member: true, RoleIDs: []string{role}}, nil
	}
	return h.roles.Effective(ctx, organizationID, userID, knownRoles)
}
