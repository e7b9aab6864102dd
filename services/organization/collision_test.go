package organization

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// work is a use case in its transaction.
type work func(ctx context.Context, tx *pg.Tx) error

// collide runs first as one person and stops it before its commit, begins second as another, and lets first go on once
// second waits for it or is through. So the second meets the first's locks, and never its luck.
func (b *testBundle) collide(t *testing.T, organizationID id.ID, firstBy person, first work, secondBy person, second work) (firstErr, secondErr error) {
	t.Helper()
	held, release := make(chan struct{}), make(chan struct{})
	firstDone, secondDone := make(chan error, 1), make(chan error, 1)
	go func() {
		firstDone <- b.as(t.Context(), organizationID, firstBy, func(ctx context.Context, tx *pg.Tx) error {
			if err := first(ctx, tx); err != nil {
				return err
			}
			close(held)
			<-release
			return nil
		})
	}()
	select {
	case <-held:
	case err := <-firstDone:
		require.NoError(t, err)
	}
	go func() { secondDone <- b.as(t.Context(), organizationID, secondBy, second) }()
	waiting := func() (sessions int) {
		require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'`).Scan(&sessions))
		return sessions
	}
	require.Eventually(t, func() bool { return waiting() > 0 || len(secondDone) > 0 }, 10*time.Second, 5*time.Millisecond)
	close(release)
	return <-firstDone, <-secondDone
}

func TestTheSecondOfTwoOwnersWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	leave := func(organizationID id.ID, who person) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.RemoveMember(ctx, tx, organizationID, who.UserID)
			return err
		}
	}
	stepDown := func(organizationID id.ID, who person) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.UpdateMember(ctx, tx, organizationID, who.UserID, []string{domain.Viewer}, "")
			return err
		}
	}
	for name, act := range map[string][2]func(id.ID, person) work{
		"both leave": {leave, leave}, "both step down": {stepDown, stepDown}, "one leaves, one steps down": {leave, stepDown},
	} {
		organizationID, path := bundle.found(t, ada, "Acme")
		bundle.join(t, ada, path, ben, domain.Owner)
		first, second := bundle.collide(t, organizationID, ada, act[0](organizationID, ada), ben, act[1](organizationID, ben))
		require.NoError(t, first, name)
		require.ErrorIs(t, second, domain.ErrLastOwner, name)
		require.Equal(t, 1, bundle.countOwners(t, organizationID), name)
	}
}

// find does what the handlers do before their transaction.
func (b *testBundle) find(t *testing.T, who person, token string) app.Answer {
	t.Helper()
	var answer app.Answer
	require.NoError(t, b.as(t.Context(), id.ID{}, who, func(ctx context.Context, _ *pg.Tx) (err error) {
		answer, err = b.app.FindInvitation(ctx, token)
		return err
	}))
	return answer
}

func TestTheSecondAnswerToAnInvitationComesTooLate(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	accept := func(answer app.Answer) work {
		return func(ctx context.Context, tx *pg.Tx) error {
			_, err := bundle.app.AcceptInvitation(ctx, tx, answer)
			return err
		}
	}
	reject := func(answer app.Answer) work {
		return func(ctx context.Context, tx *pg.Tx) error { return bundle.app.RejectInvitation(ctx, tx, answer) }
	}
	for state, act := range map[string][2]func(app.Answer) work{
		"ACCEPTED": {accept, accept}, "REJECTED": {reject, accept},
	} {
		_, path := bundle.found(t, ada, "Acme")
		_, token := bundle.invite(t, ada, path, ben.Email, domain.Viewer)
		answer := bundle.find(t, ben, token)
		bundle.takeEvents(t)
		first, second := bundle.collide(t, id.ID{}, ben, act[0](answer), ben, act[1](answer))
		require.NoError(t, first)
		require.ErrorIs(t, second, domain.ErrInvitationNotPending)
		require.Equal(t, state, errs.From(second).Metadata["state"])
	}
}

func TestAnOldTokenDiesUnderTheHandsOfWhoUsesIt(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben := bundle.meet("ada"), bundle.meet("ben")
	organizationID, path := bundle.found(t, ada, "Acme")
	invitationID, token := bundle.invite(t, ada, path, ben.Email, domain.Viewer)
	answer := bundle.find(t, ben, token)
	first, second := bundle.collide(t, organizationID, ada, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.ResendInvitation(ctx, tx, organizationID, invitationID)
		return err
	}, ben, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.AcceptInvitation(ctx, tx, answer)
		return err
	})
	require.NoError(t, first)
	require.ErrorIs(t, second, errs.ErrNotFound)
}

func TestADemotedInvitersInvitationWaitsForTheDemotion(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, cleo := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("cleo")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.join(t, ada, path, ben, domain.Admin)
	_, token := bundle.invite(t, ben, path, cleo.Email, domain.Admin)
	answer := bundle.find(t, cleo, token)
	demoted, accepted := bundle.collide(t, organizationID, ada, func(ctx context.Context, tx *pg.Tx) error {
		if _, err := bundle.app.UpdateMember(ctx, tx, organizationID, ben.UserID, []string{domain.Viewer}, ""); err != nil {
			return err
		}
		// What was queued is sent with this.
		return tx.QueryRow(ctx, "select 1").Scan(new(int))
	}, cleo, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.AcceptInvitation(ctx, tx, answer)
		return err
	})
	require.NoError(t, demoted)
	require.ErrorIs(t, accepted, domain.ErrInviterLacksRole)
	require.Equal(t, 404, bundle.REST("GET", path, cleo.token, nil).Status)
}
