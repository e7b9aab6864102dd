package identity_test

import (
	"context"
	"log/slog"
	"sync"

	"github.com/stretchr/testify/require"

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

func (h *harness) access(logger *slog.Logger) *authz.Access {
	access, err := authz.New(authz.Config{
		Source: func(_ context.Context, organizationID, userID id.ID, _ int64) (authz.Answer, error) {
			h.belongs.mu.Lock()
			defer h.belongs.mu.Unlock()
			role, member := h.belongs.roles[[2]id.ID{organizationID, userID}]
			if !member {
				return authz.Answer{}, h.belongs.fault
			}
			return authz.Answer{Member: true, RoleIDs: []string{role}}, h.belongs.fault
		},
		Fresh: func() bool { return true }, Clock: h.clock, Logger: logger, Registerer: h.registry,
	})
	require.NoError(h.t, err)
	return access
}
