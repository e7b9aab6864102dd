package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// What an operator gave in an owner's name would outlast the grant that let them in.
func TestInAnOwnersNameAnOperatorGivesNothing(t *testing.T) {
	t.Parallel()
	useCases := &App{Clock: clock.System{}}
	owner := holder{Held: authz.Held{Member: true, RoleIDs: []string{domain.Owner}}, subjectID: id.New()}
	given := domain.Assignment{RoleID: domain.Owner, Scope: domain.Scope{Type: domain.InOrganization}}
	themselves := actingHolder([]holder{owner}, &call.Actor{Kind: call.User, UserID: owner.subjectID})
	require.NoError(t, useCases.covers(&themselves, given))
	impersonated := actingHolder([]holder{owner}, &call.Actor{Kind: call.User, UserID: owner.subjectID, ImpersonatorID: id.New()})
	require.ErrorIs(t, useCases.covers(&impersonated, given), domain.ErrGrantExceedsOwn)
	require.ErrorIs(t, useCases.coversRole(&impersonated, domain.Owner), domain.ErrGrantExceedsOwn)
}
