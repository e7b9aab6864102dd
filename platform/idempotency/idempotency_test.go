package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

// bench is a database with a table of effects: whatever the handler did is a row there.
type bench struct {
	idempotency.Runner
	*pgtest.Database
	clock *clock.Manual
}

func newBench(t *testing.T) *bench {
	t.Helper()
	database := pgtest.Open(t, "mutation", idempotency.Migrations())
	_, err := database.Owner.Exec(t.Context(), fmt.Sprintf(`create table effect (name text not null); grant select, insert on effect to %q`, database.Name+"_app"))
	require.NoError(t, err)
	manual := clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	return &bench{Runner: idempotency.Runner{DB: database.DB, Clock: manual}, Database: database, clock: manual}
}

// work is a call with a key; hash stands for its body.
func work(actor id.ID, key, hash string) call.Call {
	return call.Call{
		Procedure: "/braid.workflow.v1.TaskService/CreateTask", OrganizationID: id.MustParse("0192f3a4-0000-7000-8000-000000000001"),
		Actor: call.Actor{Kind: call.User, UserID: actor}, IdempotencyKey: key, IdempotencyHash: []byte(hash),
	}
}

// create is a mutation: one effect of that name, and an answer that tells it.
func (b *bench) create(ctx context.Context, work call.Call, name string) (*workflowv1.Task, bool, error) {
	current := work
	task, err := idempotency.Run(call.With(ctx, &current), b.Runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		if _, err := tx.Exec(ctx, `insert into effect values ($1)`, name); err != nil {
			return nil, err
		}
		return &workflowv1.Task{Title: name}, nil
	})
	return task, current.Replayed, err
}

func (b *bench) count(t *testing.T, statement string) int {
	t.Helper()
	var count int
	require.NoError(t, b.Admin.QueryRow(t.Context(), statement).Scan(&count))
	return count
}

func (b *bench) effects(t *testing.T) int { return b.count(t, `select count(*) from effect`) }

func (b *bench) stored(t *testing.T) int { return b.count(t, `select count(*) from idempotency`) }

func TestSameRequestGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	task, replayed, err := b.create(t.Context(), request, "first")
	require.NoError(t, err)
	require.False(t, replayed)
	require.Equal(t, "first", task.GetTitle())
	for range 2 {
		task, replayed, err = b.create(t.Context(), request, "second")
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, "first", task.GetTitle())
	}
	require.Equal(t, 1, b.effects(t))
}

func TestWithoutAKeyNothingIsStored(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "", "")
	for range 2 {
		_, replayed, err := b.create(t.Context(), request, "x")
		require.NoError(t, err)
		require.False(t, replayed)
	}
	require.Equal(t, 2, b.effects(t))
	require.Zero(t, b.stored(t))
}

func TestKeyWithAnotherRequestIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	actor := id.New()
	_, _, err := b.create(t.Context(), work(actor, "one", "body"), "first")
	require.NoError(t, err)
	_, replayed, err := b.create(t.Context(), work(actor, "one", "another body"), "second")
	require.False(t, replayed)
	require.Equal(t, errs.Aborted, errs.KindOf(err))
	require.Equal(t, "IDEMPOTENCY_KEY_REUSED", errs.From(err).Reason)
	require.Equal(t, 1, b.effects(t))
}

// A key belongs to its actor, method and organization: with any other it is another key.
func TestKeysAreApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first := work(id.New(), "one", "body")
	requests := []call.Call{first, first, first, first, first}
	requests[1].Actor.UserID = id.New()
	requests[2].Procedure = "/braid.workflow.v1.TaskService/AssignTask"
	requests[3].OrganizationID = id.New()
	requests[4].OrganizationID = id.ID{}
	for i, request := range requests {
		_, replayed, err := b.create(t.Context(), request, fmt.Sprint(i))
		require.NoError(t, err)
		require.False(t, replayed, i)
	}
	for i, request := range requests {
		task, replayed, err := b.create(t.Context(), request, "again")
		require.NoError(t, err)
		require.True(t, replayed, i)
		require.Equal(t, fmt.Sprint(i), task.GetTitle())
	}
}

func TestTwoAtOnceHaveOneEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	var group sync.WaitGroup
	titles := make(chan string, 8)
	for i := range cap(titles) {
		group.Go(func() {
			task, _, err := b.create(t.Context(), request, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
			}
			titles <- task.GetTitle()
		})
	}
	group.Wait()
	close(titles)
	winner := <-titles
	for title := range titles {
		require.Equal(t, winner, title)
	}
	require.Equal(t, 1, b.effects(t))
}

// A failed request leaves nothing: the same key may be tried again, and then succeed, even with another body.
func TestFailureStoresNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	failure := errors.New("no")
	_, err := idempotency.Run(call.With(t.Context(), &request), b.Runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		_, err := tx.Exec(ctx, `insert into effect values ('half')`)
		return nil, errors.Join(err, failure)
	})
	require.ErrorIs(t, err, failure)
	require.Zero(t, b.effects(t))
	require.Zero(t, b.stored(t))
	_, replayed, err := b.create(t.Context(), work(request.Actor.UserID, "one", "corrected"), "x")
	require.NoError(t, err)
	require.False(t, replayed)
}

// One that waits for another with the same key takes over when the other fails.
func TestWaitingRequestTakesOverFromAFailure(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	entered, release := make(chan struct{}), make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		current := request
		_, err := idempotency.Run(call.With(t.Context(), &current), b.Runner, func(context.Context, *pg.Tx) (*workflowv1.Task, error) {
			close(entered)
			<-release
			return nil, errors.New("no")
		})
		failed <- err
	}()
	<-entered
	done := make(chan error, 1)
	go func() {
		_, replayed, err := b.create(t.Context(), request, "second")
		if replayed {
			err = errors.Join(err, errors.New("replayed a failure"))
		}
		done <- err
	}()
	require.Eventually(t, func() bool {
		return b.count(t, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) == 1
	}, 10*time.Second, 10*time.Millisecond)
	close(release)
	require.Error(t, <-failed)
	require.NoError(t, <-done)
	require.Equal(t, 1, b.effects(t))
}

// An answer without any field has no bytes; it is an answer all the same.
func TestEmptyAnswerIsReplayed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	runs := 0
	for range 3 {
		current := request
		answer, err := idempotency.Run(call.With(t.Context(), &current), b.Runner, func(context.Context, *pg.Tx) (*workflowv1.DeleteTaskResponse, error) {
			runs++
			return &workflowv1.DeleteTaskResponse{}, nil
		})
		require.NoError(t, err)
		require.NotNil(t, answer)
	}
	require.Equal(t, 1, runs)
}

func TestAnswersExpire(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	_, _, err := b.create(t.Context(), request, "first")
	require.NoError(t, err)
	b.clock.Advance(idempotency.Lifetime - time.Second)
	_, replayed, err := b.create(t.Context(), request, "second")
	require.NoError(t, err)
	require.True(t, replayed)
	b.clock.Advance(time.Second)
	task, replayed, err := b.create(t.Context(), work(request.Actor.UserID, "one", "another body"), "third")
	require.NoError(t, err)
	require.False(t, replayed)
	require.Equal(t, "third", task.GetTitle())
	task, replayed, err = b.create(t.Context(), work(request.Actor.UserID, "one", "another body"), "fourth")
	require.NoError(t, err)
	require.True(t, replayed)
	require.Equal(t, "third", task.GetTitle())
}

func TestPurgeRemovesWhatExpired(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 4 {
		_, _, err := b.create(t.Context(), work(id.New(), fmt.Sprint(i), "body"), "x")
		require.NoError(t, err)
		b.clock.Advance(time.Hour)
	}
	b.clock.Advance(idempotency.Lifetime - 3*time.Hour)
	removed, err := b.Purge(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, removed)
	require.Equal(t, 2, b.stored(t))
}

// The stored answers are their owner's: with another user in scope the database itself shows none.
func TestAnswersAreTheirOwnersOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	request := work(id.New(), "one", "body")
	_, _, err := b.create(t.Context(), request, "x")
	require.NoError(t, err)
	seen := func(scope pg.Scope) (count int) {
		require.NoError(t, b.Database.DB.Read(scope).QueryRow(t.Context(), `select count(*) from idempotency`).Scan(&count))
		return count
	}
	require.Equal(t, 1, seen(pg.Scope{UserID: request.Actor.UserID}))
	require.Zero(t, seen(pg.Scope{UserID: id.New(), OrganizationID: request.OrganizationID}))
	require.Zero(t, seen(pg.Scope{}))
}
