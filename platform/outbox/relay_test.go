package outbox_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestRelayIsWokenByACommitOfItsProcess(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.PollInterval = never })
	requireLeading(t, relay)
	for number := range 3 {
		commit(t, bundle.DB, event(id.New(), fmt.Sprint(number)))
		bundle.requireDrained(t)
	}
	require.Len(t, bundle.texts(t), 3)
}

func TestRelayIsWokenByACommitOfAnotherProcess(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	requireLeading(t, bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.PollInterval = never }))
	other := bundle.anotherProcess(t)
	standby := bundle.relay(t, other, func(c *outbox.RelayConfig) { c.PollInterval = never })
	// The other process tells of its commits as soon as its own relay runs, which nothing shows from outside: so it
	// commits until one was heard of. Without being told, nothing would ever come.
	require.Eventually(t, func() bool {
		commit(t, other, event(id.New(), "there"))
		return len(bundle.published(t)) > 0
	}, patience, 20*tick, "nobody was woken")
	require.False(t, standby.Leading())
}

func TestRelayFindsByPollingWhatNobodyToldItOf(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	requireLeading(t, bundle.relay(t, bundle.DB, nil))
	// This process has no relay of its own, as a command line tool has none.
	commit(t, bundle.anotherProcess(t), event(id.New(), "quietly"))
	bundle.requireDrained(t)
	require.Equal(t, []string{"quietly"}, bundle.texts(t))
}

func TestRelayPublishesWhatCommittedLate(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.relay(t, bundle.DB, nil)
	inserted, finish := make(chan struct{}), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		_ = bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			if err := outbox.Append(ctx, tx, clock.System{}, event(id.New(), "early position, late commit")); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `select 1`); err != nil {
				return err
			}
			close(inserted)
			<-finish
			return nil
		})
	})
	<-inserted
	for number := range 5 {
		commit(t, bundle.DB, event(id.New(), fmt.Sprint(number)))
	}
	require.Eventually(t, func() bool { return len(bundle.texts(t)) == 5 }, patience, tick, "others need not wait")
	close(finish)
	slow.Wait()
	bundle.requireDrained(t)
	require.Contains(t, bundle.texts(t), "early position, late commit")
}

// A relay that dies between the acknowledgement and the delete is one whose delete never happens.
func TestRelayThatCannotDeleteSendsTwiceAndLosesNothing(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	_, err := bundle.Owner.Exec(t.Context(), `create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
		create trigger refuse before delete on outbox execute function refuse()`)
	require.NoError(t, err)
	key := id.New()
	var want []string
	for number := range 20 {
		want = append(want, fmt.Sprintf("%02d", number))
		commit(t, bundle.DB, event(key, want[number]))
	}
	first := bundle.relay(t, bundle.DB, nil)
	require.Eventually(t, func() bool { return len(bundle.texts(t)) >= 20 }, patience, tick)
	first.stop()
	require.Equal(t, 20, bundle.waiting(t), "nothing was deleted")
	_, err = bundle.Owner.Exec(t.Context(), `drop trigger refuse on outbox`)
	require.NoError(t, err)
	bundle.relay(t, bundle.DB, nil)
	bundle.requireDrained(t)
	texts := bundle.texts(t)
	require.GreaterOrEqual(t, len(texts), 40, "all of them came twice")
	require.Equal(t, want, firstOf(texts))
	require.Equal(t, want, texts[len(texts)-20:], "the repetition is in order, too")
}

// firstOf returns each text where it came first.
func firstOf(texts []string) (first []string) {
	seen := map[string]bool{}
	for _, text := range texts {
		if !seen[text] {
			seen[text] = true
			first = append(first, text)
		}
	}
	return first
}

func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, nil)
	problems, err := testutil.GatherAndLint(relay.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestOneRelayIsActiveAndTheNextTakesOver(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	first := bundle.relay(t, bundle.DB, nil)
	requireLeading(t, first)
	other := bundle.anotherProcess(t)
	second := bundle.relay(t, other, nil)
	for number := range 10 {
		commit(t, other, event(id.New(), fmt.Sprint(number)))
		require.False(t, first.Leading() && second.Leading())
	}
	bundle.requireDrained(t)
	require.Equal(t, 10.0, published(t, first)+published(t, second))
	require.Zero(t, published(t, second))
	first.stop()
	require.False(t, first.Leading())
	requireLeading(t, second)
	commit(t, bundle.DB, event(id.New(), "after"))
	bundle.requireDrained(t)
	require.Equal(t, 1.0, published(t, second))
	require.Len(t, bundle.texts(t), 11, "nothing came twice")
}

func TestRelayThatLostItsSessionStopsBeingActive(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, nil)
	requireLeading(t, relay)
	// Somebody else gets the lock the moment the session is gone.
	holder, err := bundle.Admin.Acquire(t.Context())
	require.NoError(t, err)
	defer holder.Release()
	var key int64
	require.NoError(t, holder.QueryRow(t.Context(), `select (classid::bigint << 32) | objid::bigint from pg_locks
		where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())`).Scan(&key))
	var taken sync.WaitGroup
	taken.Go(func() { _, _ = holder.Exec(t.Context(), `select pg_advisory_lock(`+fmt.Sprint(key)+`)`) })
	require.Eventually(t, func() bool {
		var count int
		require.NoError(t, bundle.Admin.QueryRow(t.Context(), `select count(*) from pg_locks where locktype = 'advisory' and not granted
			and database = (select oid from pg_database where datname = current_database())`).Scan(&count))
		return count == 1
	}, patience, tick)
	_, err = bundle.Admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted
		and database = (select oid from pg_database where datname = current_database())`)
	require.NoError(t, err)
	taken.Wait()
	require.Eventually(t, func() bool { return !relay.Leading() }, patience, tick)
	commit(t, bundle.DB, event(id.New(), "waits"))
	require.Never(t, func() bool { return relay.Leading() || bundle.waiting(t) == 0 }, 300*time.Millisecond, tick)
	_, err = holder.Exec(t.Context(), `select pg_advisory_unlock_all()`)
	require.NoError(t, err)
	bundle.requireDrained(t)
}

func published(t *testing.T, relay *relay) float64 {
	t.Helper()
	return metric(t, relay, "braid_outbox_published_total")
}

func metric(t *testing.T, relay *relay, name string) float64 {
	t.Helper()
	families, err := relay.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == name {
			sample := family.GetMetric()[0]
			return sample.GetCounter().GetValue() + sample.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// Writers change the same few entities at once while the broker comes and goes; what counts is the order of each.
func TestOrderOfEachEntityHoldsOverRestartsOfTheBroker(t *testing.T) {
	t.Parallel()
	const entities, writers, changes = 3, 6, 40
	bundle := setup(t)
	_, err := bundle.Owner.Exec(t.Context(), `create table entity (number int primary key, version int not null);
		insert into entity select number, 0 from generate_series(0, 2) as number;
		grant select, update on entity to `+pg.AppRole(bundle.Name))
	require.NoError(t, err)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.BatchEvents = 7 })
	keys := []id.ID{id.New(), id.New(), id.New()}
	var working sync.WaitGroup
	for writer := range writers {
		working.Go(func() {
			for change := range changes {
				number := (writer + change) % entities
				_ = bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
					var version int
					if err := tx.QueryRow(ctx, `update entity set version = version + 1 where number = $1 returning version`, number).Scan(&version); err != nil {
						return err
					}
					return outbox.Append(ctx, tx, clock.System{}, event(keys[number], fmt.Sprintf("%d:%d", number, version)))
				})
			}
		})
	}
	for range 3 {
		bundle.broker.Stop()
		require.Never(t, func() bool { return false }, 50*time.Millisecond, 10*time.Millisecond)
		bundle.broker.Start()
	}
	working.Wait()
	bundle.requireDrained(t)
	relay.stop()
	texts := firstOf(bundle.texts(t))
	total := 0
	for number := range entities {
		var mine, want []string
		for _, text := range texts {
			if strings.HasPrefix(text, fmt.Sprint(number, ":")) {
				mine = append(mine, text)
			}
		}
		var version int
		require.NoError(t, bundle.Admin.QueryRow(t.Context(), `select version from entity where number = $1`, number).Scan(&version))
		for v := 1; v <= version; v++ {
			want = append(want, fmt.Sprintf("%d:%d", number, v))
		}
		require.Equal(t, want, mine)
		total += version
	}
	require.Equal(t, writers*changes, total)
}

func TestRelayWaitsForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.PublishTimeout = 200 * time.Millisecond })
	requireLeading(t, relay)
	commit(t, bundle.DB, event(id.New(), "before"))
	bundle.requireDrained(t)
	bundle.broker.Stop()
	commit(t, bundle.DB, event(id.New(), "meanwhile"))
	require.Eventually(t, func() bool { return metric(t, relay, "braid_outbox_failures_total") > 0 }, patience, tick)
	require.Equal(t, 1, bundle.waiting(t))
	bundle.broker.Start()
	bundle.requireDrained(t)
	require.ElementsMatch(t, []string{"before", "meanwhile"}, bundle.texts(t))
}

func TestRelayOutlastsALostDatabase(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, nil)
	requireLeading(t, relay)
	bundle.Terminate(t)
	commit(t, bundle.DB, event(id.New(), "after"))
	bundle.requireDrained(t)
	require.Equal(t, []string{"after"}, bundle.texts(t))
}

func TestBatchesAreBoundedByBytes(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	key := id.New()
	var want []string
	var events []outbox.Event
	for number := range 9 {
		text := fmt.Sprint(number, strings.Repeat("x", 100_000))
		want = append(want, text)
		events = append(events, event(key, text))
	}
	commit(t, bundle.DB, events...)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.BatchBytes, c.PollInterval = 250_000, never })
	bundle.requireDrained(t)
	require.Equal(t, want, bundle.texts(t))
	count, err := testutil.GatherAndCount(relay.registry, "braid_outbox_batch_seconds")
	require.NoError(t, err)
	require.Equal(t, 1, count)
	families, err := relay.registry.Gather()
	require.NoError(t, err)
	rounds := families[slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "braid_outbox_batch_seconds" })]
	require.Equal(t, uint64(3), rounds.GetMetric()[0].GetHistogram().GetSampleCount(), "three events reach the bound")
}

func TestWatermarkIsAPromise(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.Watermark, c.PollInterval = true, never })
	require.NoError(t, bus.EnsureTopics(t.Context(), bundle.broker.Connection(), bustest.Logger(t),
		bus.Topic{Name: bus.EventTopic(service), Partitions: 2}))
	var mu sync.Mutex
	handled := map[string]bool{}
	reader, err := bus.NewBroadcast(bundle.broker.Connection(), bus.BroadcastConfig{
		Publishers: []string{service}, Lookback: time.Minute, Reset: func(time.Time) {},
		Handle: func(_ context.Context, event bus.Event) error {
			mu.Lock()
			defer mu.Unlock()
			handled[bustest.TextOf(event.Data)] = true
			return nil
		},
	}, clock.System{}, bustest.Logger(t))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { _ = reader.Run(ctx) })
	defer reading.Wait()
	defer cancel()
	for round := range 4 {
		var mine []string
		for number := range 10 {
			mine = append(mine, fmt.Sprint(round, "-", number))
			commit(t, bundle.DB, event(id.New(), mine[number]))
		}
		committed := time.Now()
		require.Eventually(t, func() bool { return reader.Freshness().After(committed) }, patience, tick)
		mu.Lock()
		for _, text := range mine {
			require.True(t, handled[text], "%s was committed before the watermark and is not there", text)
		}
		mu.Unlock()
	}
}

func TestRelayLeavesTimeForABatchBetweenRounds(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	const interval = 100 * time.Millisecond
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.PollInterval, c.RoundInterval = never, interval })
	requireLeading(t, relay)
	started := time.Now()
	for number := range 8 {
		commit(t, bundle.DB, event(id.New(), fmt.Sprint(number)))
		bundle.requireDrained(t)
	}
	elapsed := time.Since(started)
	var rounds uint64
	families, err := relay.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "braid_outbox_batch_seconds" {
			rounds = family.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	require.Positive(t, rounds)
	require.LessOrEqual(t, rounds, uint64(elapsed/interval)+2, "a round must not begin sooner than an interval after the last began")
	require.Len(t, bundle.texts(t), 8)
}

func TestRelayWaitsLongerAfterManyEvents(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	relay := bundle.relay(t, bundle.DB, func(c *outbox.RelayConfig) { c.PollInterval, c.RoundInterval = never, time.Millisecond })
	requireLeading(t, relay)
	commit(t, bundle.DB, event(id.New(), "first")) // makes the topic
	bundle.requireDrained(t)
	many := make([]outbox.Event, 100)
	for number := range many {
		many[number] = event(id.New(), fmt.Sprint(number))
	}
	started := time.Now()
	commit(t, bundle.DB, many...)
	bundle.requireDrained(t)
	commit(t, bundle.DB, event(id.New(), "after many"))
	bundle.requireDrained(t)
	require.Greater(t, time.Since(started), 40*time.Millisecond, "those that come after many wait for company")
	require.Len(t, bundle.texts(t), 102)
}
