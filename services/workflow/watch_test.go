package workflow

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/live"
	"github.com/braidhq/braid/testkit/pgtest"
)

// watcher is one open stream and what it has shown.
type watcher struct {
	t      testing.TB
	cancel context.CancelFunc
	ended  chan error

	mu         sync.Mutex
	snapshots  []int64
	revisions  []int64
	types      []string
	heartbeats int
}

// watch opens a stream on a process's hub. before runs ahead of each event: a client that is slow.
func (p *process) watch(of domain.ProjectRef, last string, check func(context.Context) error, before func()) *watcher {
	ctx, cancel := context.WithCancel(p.t.Context())
	w := &watcher{t: p.t, cancel: cancel, ended: make(chan error, 1)}
	if check == nil {
		check = func(context.Context) error { return nil }
	}
	request := live.Request{Project: of, UserID: id.New(), LastEventID: last, Check: check}
	go func() {
		w.ended <- p.hub.Watch(ctx, request, func(response *workflowv1.WatchProjectResponse) error {
			if before != nil {
				before()
			}
			w.note(response)
			return ctx.Err()
		})
	}()
	p.t.Cleanup(cancel)
	return w
}

func (w *watcher) note(response *workflowv1.WatchProjectResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch event := response.GetEvent().(type) {
	case *workflowv1.WatchProjectResponse_Snapshot:
		w.snapshots = append(w.snapshots, event.Snapshot.GetRevision())
	case *workflowv1.WatchProjectResponse_Change:
		w.revisions = append(w.revisions, event.Change.GetRevision())
		w.types = append(w.types, event.Change.GetType())
	case *workflowv1.WatchProjectResponse_Heartbeat:
		w.heartbeats++
	}
}

func (w *watcher) seen() (snapshots, revisions []int64, heartbeats int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]int64(nil), w.snapshots...), append([]int64(nil), w.revisions...), w.heartbeats
}

// opened waits for the stream's first event.
func (w *watcher) opened() *watcher {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		snapshots, revisions, heartbeats := w.seen()
		return len(snapshots)+len(revisions)+heartbeats > 0
	}, patience, time.Millisecond)
	return w
}

// sees waits until the stream has shown a revision, and requires each from the first to it, in order, once.
func (w *watcher) sees(first, last int64) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		_, revisions, _ := w.seen()
		return len(revisions) > 0 && revisions[len(revisions)-1] >= last
	}, patience, time.Millisecond)
	_, revisions, _ := w.seen()
	require.Equal(w.t, sequence(first, last), revisions)
}

func (w *watcher) stop() {
	w.t.Helper()
	w.cancel()
	select {
	case err := <-w.ended:
		require.ErrorIs(w.t, err, context.Canceled)
	case <-time.After(patience):
		require.Fail(w.t, "the stream goes on")
	}
}

// endsWith waits for the stream's end.
func (w *watcher) endsWith(kind errs.Kind) {
	w.t.Helper()
	select {
	case err := <-w.ended:
		require.Equal(w.t, kind, errs.KindOf(err), "%v", err)
	case <-time.After(patience):
		require.Fail(w.t, "the stream goes on")
	}
}

func sequence(first, last int64) []int64 {
	var numbers []int64
	for number := first; number <= last; number++ {
		numbers = append(numbers, number)
	}
	return numbers
}

// watched makes a project to watch.
func (f *fixture) watched() domain.ProjectRef {
	f.t.Helper()
	return domain.ProjectRef{OrganizationID: f.organizationID, ProjectID: id.MustParse(f.project("WEB"))}
}

// create makes tasks through a process, each a change.
func (f *fixture) create(through *process, projectID id.ID, count int) {
	f.t.Helper()
	ctx := f.as(f.memberID)
	for i := range count {
		require.NoError(f.t, through.database.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
			_, err := through.cases.CreateTask(ctx, tx, projectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: fmt.Sprint("task ", i)}})
			return err
		}))
	}
}

func TestWatchBeginsWithASnapshot(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	f.create(f.process, project.ProjectID, 3)
	w := f.watch(project, "", nil, nil).opened()
	f.create(f.process, project.ProjectID, 4)
	w.sees(4, 7)
	snapshots, _, _ := w.seen()
	require.Equal(t, []int64{3}, snapshots)
	w.stop()
}

func TestWatchGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	f.create(f.process, project.ProjectID, 5)
	for last, first := range map[string]int64{"0": 1, "3": 4} {
		w := f.watch(project, last, nil, nil)
		w.sees(first, 5)
		snapshots, _, _ := w.seen()
		require.Empty(t, snapshots)
		w.stop()
	}
	nothing := f.watch(project, "5", nil, nil).opened()
	snapshots, revisions, heartbeats := nothing.seen()
	require.Empty(t, snapshots)
	require.Empty(t, revisions)
	require.Positive(t, heartbeats, "the stream shows that it stands")
	for _, never := range []string{"6", "9999999999999999999"} {
		w := f.watch(project, never, nil, nil).opened()
		snapshots, _, _ := w.seen()
		require.Equal(t, []int64{5}, snapshots, never)
	}
}

func TestReconnectingShowsEachChangeOnce(t *testing.T) {
	t.Parallel()
	const changes = 150
	f := newFixture(t)
	project := f.watched()
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		f.create(f.process, project.ProjectID, changes)
	}()
	last, all := "0", []int64{}
	for round := 0; len(all) < changes; round++ {
		require.Less(t, round, 10*changes)
		w := f.watch(project, last, nil, nil)
		require.Eventually(t, func() bool {
			_, revisions, _ := w.seen()
			return len(revisions) > round%7
		}, patience, time.Millisecond)
		w.cancel()
		<-w.ended
		snapshots, revisions, _ := w.seen()
		require.Empty(t, snapshots)
		all = append(all, revisions...)
		last = strconv.FormatInt(all[len(all)-1], 10)
		if len(all) < changes && changes-len(all) <= 7 {
			// Fewer are left than a round waits for.
			w := f.watch(project, last, nil, nil)
			w.sees(all[len(all)-1]+1, changes)
			_, revisions, _ := w.seen()
			all = append(all, revisions...)
		}
	}
	<-writing
	require.Equal(t, sequence(1, changes), all)
}

func TestTwoProcessesSeeEachOthersChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	// No poll within the test: what arrives was notified of.
	config := quick
	config.PollInterval = time.Hour
	first := newProcess(t, pgtest.OpenDB(t, pg.Config{Service: "first", URL: f.pg.URL}, f.pg.Registry), f.clock, config)
	second := newProcess(t, pgtest.OpenDB(t, pg.Config{Service: "second", URL: f.pg.URL}, f.pg.Registry), f.clock, config)
	require.Eventually(t, func() bool {
		return f.count(`select count(*) from pg_stat_activity where query like 'listen braid_project_change%' and datname = current_database()`) == 3
	}, patience, 10*time.Millisecond)
	project := f.watched()
	one, two := first.watch(project, "", nil, nil).opened(), second.watch(project, "", nil, nil).opened()
	var writing sync.WaitGroup
	for _, through := range []*process{first, second} {
		writing.Go(func() { f.create(through, project.ProjectID, 40) })
	}
	writing.Wait()
	one.sees(1, 80)
	two.sees(1, 80)
}

func TestPollFindsWhatNobodyToldOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	w := f.watch(project, "", nil, nil).opened()
	// A process whose hub does not run tells nobody.
	silent := &process{database: f.database, cases: silentCases(f)}
	f.create(silent, project.ProjectID, 3)
	w.sees(1, 3)
}

// A change is only ever seen after those before it: whoever holds the project's lock holds back the later ones.
func TestLateCommitIsNotSkipped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	w := f.watch(project, "", nil, nil).opened()
	holding, release, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first <- f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
			if _, err := f.cases.CreateTask(ctx, tx, project.ProjectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: "early, committed late"}}); err != nil {
				return err
			}
			close(holding)
			<-release
			return nil
		})
	}()
	<-holding
	later := make(chan error, 4)
	for range 4 {
		go func() {
			later <- f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
				_, err := f.cases.CreateTask(ctx, tx, project.ProjectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: "late"}})
				return err
			})
		}()
	}
	require.Eventually(t, func() bool {
		return f.count(`select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`) == 4
	}, patience, 10*time.Millisecond)
	_, revisions, before := w.seen()
	require.Empty(t, revisions)
	require.Eventually(t, func() bool { _, _, after := w.seen(); return after > before+1 }, patience, time.Millisecond, "reads go on meanwhile")
	_, revisions, _ = w.seen()
	require.Empty(t, revisions, "nothing is shown past a change that may still come")
	close(release)
	require.NoError(t, <-first)
	for range 4 {
		require.NoError(t, <-later)
	}
	w.sees(1, 5)
}

func TestSlowClientMissesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	stuck := make(chan struct{})
	var once sync.Once
	opened := make(chan struct{})
	slow := f.watch(project, "", nil, func() {
		once.Do(func() { close(opened) })
		<-stuck
	})
	<-opened
	fast := f.watch(project, "", nil, nil).opened()
	// More than a topic keeps.
	f.create(f.process, project.ProjectID, 300)
	fast.sees(1, 300)
	close(stuck)
	slow.sees(1, 300)
}

func TestOldClientGetsASnapshot(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	f.create(f.process, project.ProjectID, 5)
	f.clock.Advance(25 * time.Hour)
	f.create(f.process, project.ProjectID, 2)
	cleaner := live.NewCleaner(f.database, 24*time.Hour, f.clock, pgtest.Logger(t))
	removed, err := cleaner.Clean(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, removed)
	old := f.watch(project, "3", nil, nil).opened()
	snapshots, revisions, _ := old.seen()
	require.Equal(t, []int64{7}, snapshots)
	require.Empty(t, revisions)
	recent := f.watch(project, "5", nil, nil)
	recent.sees(6, 7)
	f.create(f.process, project.ProjectID, 1)
	old.sees(8, 8)
}

func TestGapInTheMiddleIsNoticed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	f.create(f.process, project.ProjectID, 6)
	_, err := f.pg.Admin.Exec(t.Context(), `delete from project_change where revision = 4`)
	require.NoError(t, err)
	w := f.watch(project, "1", nil, nil)
	require.Eventually(t, func() bool { snapshots, _, _ := w.seen(); return len(snapshots) == 1 }, patience, time.Millisecond)
	snapshots, revisions, _ := w.seen()
	require.Equal(t, []int64{6}, snapshots)
	require.Equal(t, []int64{2, 3}, revisions)
}

func TestStreamSurvivesALostDatabase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	w := f.watch(project, "", nil, nil).opened()
	f.create(f.process, project.ProjectID, 2)
	w.sees(1, 2)
	f.pg.Terminate(t)
	require.Eventually(t, func() bool {
		return f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
			_, err := f.cases.CreateTask(ctx, tx, project.ProjectID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: "after"}})
			return err
		}) == nil
	}, patience, 10*time.Millisecond)
	w.sees(1, 3)
}

// Notifications are heard again after the connection that heard them was lost; no poll helps here.
func TestListeningBeginsAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	config := quick
	config.PollInterval = time.Hour
	other := newProcess(t, pgtest.OpenDB(t, pg.Config{Service: "other", URL: f.pg.URL}, f.pg.Registry), f.clock, config)
	project := f.watched()
	w := other.watch(project, "", nil, nil).opened()
	listening := func() bool {
		return f.count(`select count(*) from pg_stat_activity
			where query like 'listen braid_project_change%' and datname = current_database()`) == 2
	}
	require.Eventually(t, listening, patience, 10*time.Millisecond)
	f.pg.Terminate(t)
	require.Eventually(t, listening, patience, 10*time.Millisecond)
	f.create(f.process, project.ProjectID, 3)
	w.sees(1, 3)
}
