package authz_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// freeze makes the organization one in the given state.
func (o *owner) freeze(state organizationv1.Organization_State) {
	o.set(func() { o.held.Frozen = authz.FrozenBy(state) })
}

func (o *owner) changeable(t *testing.T) error {
	t.Helper()
	require.NoError(t, o.may(t, read), "reading goes on")
	return o.Changeable(t.Context(), o.organization, o.user)
}

func TestFrozenOrganizationCanBeReadOnly(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	require.NoError(t, o.changeable(t))
	for state, reason := range map[organizationv1.Organization_State]string{
		organizationv1.Organization_SUSPENDED: "ORGANIZATION_SUSPENDED", organizationv1.Organization_PENDING_DELETION: "DELETION_PENDING",
		organizationv1.Organization_DELETING: "DELETION_PENDING",
	} {
		o.freeze(state)
		o.DropOrganization(o.organization)
		err := o.changeable(t)
		requireKind(t, err, errs.FailedPrecondition)
		require.Equal(t, reason, errs.From(err).Reason)
	}
	o.freeze(organizationv1.Organization_ACTIVE)
	require.Error(t, o.changeable(t), "nothing was heard yet")
	o.DropOrganization(o.organization)
	require.NoError(t, o.changeable(t))
}

// A change of the organization's state makes old what is known of everybody in it, and of nobody else.
func TestLifecycleEventsDropTheWholeOrganization(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	other := id.New()
	requireKind(t, o.Authorize(t.Context(), other, o.user, read), errs.NotFound)
	require.NoError(t, o.may(t, read))
	asked := o.questions()
	require.NoError(t, o.may(t, read))
	require.Equal(t, asked, o.questions())
	for _, kind := range []string{"suspended", "resumed", "deletion_requested", "deletion_cancelled", "deletion_started", "erasure_started", "deletion_failed", "deleted"} {
		require.NoError(t, o.HandleEvent(bus.Event{Type: "organization.organization." + kind, OrganizationID: other}))
		require.NoError(t, o.may(t, read))
		require.Equal(t, asked, o.questions(), "another organization's %s", kind)
		require.NoError(t, o.HandleEvent(bus.Event{Type: "organization.organization." + kind, OrganizationID: o.organization}))
		require.NoError(t, o.may(t, read))
		asked++
		require.Equal(t, asked, o.questions(), kind)
	}
	require.NoError(t, o.HandleEvent(bus.Event{Type: "organization.organization.updated", OrganizationID: o.organization}))
	require.NoError(t, o.may(t, read))
	require.Equal(t, asked, o.questions(), "a new name changes nobody's access")
}
