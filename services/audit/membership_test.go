package audit

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// A person's records are in the trail of each organization for the time they were a member, whatever the order in which
// it was all heard, and with what: topics are read side by side, in batches, and dead letters come back late.
func TestPersonsRecordsAppearWhereTheyWereMembersInAnyOrder(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for round := range 60 {
		acme, other, ben := id.New(), id.New(), id.New()
		token, adaID := bundle.SignIn(acme, "admin")
		bundle.Roles.Grant(other, adaID, "admin")
		events := []bus.Event{
			0: loginFailed(t, ben, 5), 1: joined(t, acme, ben, 10), 2: loginFailed(t, ben, 15), 3: left(t, acme, ben, 20),
			4: loginFailed(t, ben, 25), 5: joined(t, acme, ben, 30), 6: loginFailed(t, ben, 35), 7: joined(t, other, ben, 32),
		}
		order := rand.Perm(len(events))
		if round == 0 {
			slices.Sort(order)
		}
		twice := append(slices.Clone(order), order[:rand.IntN(len(order))]...)
		for rest := twice; len(rest) > 0; {
			var batch []bus.Event
			size := 1 + rand.IntN(len(rest))
			for _, position := range rest[:size] {
				batch = append(batch, events[position])
			}
			require.NoError(t, bundle.tryHear(t, batch...))
			rest = rest[size:]
		}
		require.Equal(t, idsOf(events[6], events[5], events[3], events[2], events[1]), bundle.eventIDs(t, token, acme), "heard in the order %v", twice)
		require.Equal(t, idsOf(events[6], events[7]), bundle.eventIDs(t, token, other), "heard in the order %v", twice)

		hidden := bundle.recordOf(t, events[4])
		require.Equal(t, 404, bundle.REST("GET", trail(acme)+"/"+hidden, token, nil).Status, "after leaving, before coming back")
		require.Equal(t, 200, bundle.REST("GET", trail(acme)+"/"+bundle.recordOf(t, events[2]), token, nil).Status)
	}
}

func (b *testBundle) recordOf(t *testing.T, event bus.Event) (recordID string) {
	t.Helper()
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select id::text from audit_record where event_id = $1`, event.ID.String()).Scan(&recordID))
	return recordID
}

// Two processes read two topics: neither sees what the other has not committed, and the login must not fall between.
func TestALoginBesideAJoiningIsNotLost(t *testing.T) {
	t.Parallel()
	for name, order := range map[string]func(login, joining bus.Event) (first, second bus.Event){
		"the login first":   func(login, joining bus.Event) (bus.Event, bus.Event) { return login, joining },
		"the joining first": func(login, joining bus.Event) (bus.Event, bus.Event) { return joining, login },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := setup(t)
			acme, ben := id.New(), id.New()
			token, _ := bundle.SignIn(acme, "admin")
			joining, login := joined(t, acme, ben, 10), loginFailed(t, ben, 15)
			first, second := order(login, joining)
			done := make(chan error, 1)
			require.NoError(t, bundle.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
				require.NoError(t, bundle.handle(ctx, tx, []bus.Event{first}))
				_, err := tx.Exec(ctx, `select 1`) // Sends what is queued.
				require.NoError(t, err)
				go func() { done <- bundle.tryHear(t, second) }()
				require.Eventually(t, func() bool { return len(done) > 0 || bundle.waiting(t) }, 10*time.Second, 5*time.Millisecond)
				return nil
			}))
			require.NoError(t, <-done)
			require.Equal(t, idsOf(login, joining), bundle.eventIDs(t, token, acme))
		})
	}
}

// waiting reports whether a session of this database waits for an advisory lock.
func (b *testBundle) waiting(t *testing.T) (waiting bool) {
	t.Helper()
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select exists (select from pg_locks where locktype = 'advisory'
		and not granted and database = (select oid from pg_database where datname = current_database()))`).Scan(&waiting))
	return waiting
}

// Only identity's events are about persons everywhere: others that name no organization are in no trail.
func TestOtherEventsOutsideOrganizationsAreInNoTrail(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme, ben := id.New(), id.New()
	token, _ := bundle.SignIn(acme, "admin")
	joining := joined(t, acme, ben, 1)
	elsewhere := loginFailed(t, ben, 2)
	elsewhere.Source = bus.Source("notification")
	unkeyed := loginFailed(t, ben, 3)
	unkeyed.Key = []byte("not an id")
	session := newEvent(t, "identity", id.ID{}, "session/"+id.New().String(), 4, &identityv1.LoginSucceeded{UserId: ben.String()})
	session.Key, session.Actor = []byte(ben.String()), call.Actor{Kind: call.User, UserID: ben}
	bundle.hear(t, joining, elsewhere, unkeyed, session)
	require.Equal(t, idsOf(session, joining), bundle.eventIDs(t, token, acme))
	for _, event := range []bus.Event{elsewhere, unkeyed} {
		require.NotEmpty(t, bundle.recordOf(t, event), "they are recorded all the same")
	}
}
