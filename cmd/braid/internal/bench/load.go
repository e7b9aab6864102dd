package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/clock"
)

// target is a server and what is asked of it.
type target struct {
	// pid is the server's process, whose processor time is counted; 0 for none. database is the process that PostgreSQL
	// runs below.
	pid      int
	database int
	address  string
	// next adds the next request of a connection to dst.
	next func(dst []byte, connection int, random *rand.Rand) []byte
	// answered takes the answers, where the next request depends on them; nil for none.
	answered func(connection int, body []byte) error
}

// databaseTime is what PostgreSQL has used.
func (t target) databaseTime() time.Duration {
	return timeBelow(t.database) - processorTime(t.database)
}

// outcome is what a load met.
type outcome struct {
	requests int
	elapsed  time.Duration
	// latencies are sorted.
	latencies []time.Duration
	// processor is the time of the server's process that one request took, database that of PostgreSQL.
	processor, database time.Duration
}

func (o outcome) rate() float64 {
	if o.elapsed <= 0 {
		return 0
	}
	return float64(o.requests) / o.elapsed.Seconds()
}

// quantile returns the latency that a share of the requests did not exceed.
func (o outcome) quantile(share float64) time.Duration { return quantile(o.latencies, share) }

func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// outcome adds up what the connections met since a load began.
func (t target) outcome(sets [][]time.Duration, started time.Time, processor, database time.Duration) outcome {
	result := outcome{elapsed: time.Since(started), latencies: slices.Concat(sets...)}
	result.requests = len(result.latencies)
	if result.requests > 0 {
		result.processor = (processorTime(t.pid) - processor) / time.Duration(result.requests)
		result.database = (t.databaseTime() - database) / time.Duration(result.requests)
	}
	slices.Sort(result.latencies)
	return result
}

// drive sends requests over a number of connections, each the next when the answer is there. Any answer but 200 is an
// error: a load that fails is fast.
func drive(ctx context.Context, aim target, connections int, duration time.Duration) (outcome, error) {
	sets := make([][]time.Duration, connections)
	loading, loadCtx := errgroup.WithContext(ctx)
	before, databaseBefore := processorTime(aim.pid), aim.databaseTime()
	started := time.Now()
	end := started.Add(duration)
	for number := range connections {
		loading.Go(func() (err error) {
			sets[number], err = driveOne(loadCtx, aim, number, end)
			return err
		})
	}
	if err := loading.Wait(); err != nil {
		return outcome{}, err
	}
	return aim.outcome(sets, started, before, databaseBefore), nil
}

func driveOne(ctx context.Context, aim target, number int, end time.Time) ([]time.Duration, error) {
	opened, err := dial(ctx, aim.address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	_ = opened.SetDeadline(end.Add(requestTimeout))
	random := rand.New(rand.NewPCG(uint64(number), uint64(end.UnixNano())))
	latencies := make([]time.Duration, 0, 4096)
	for now := time.Now(); now.Before(end); {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		opened.request = aim.next(opened.request[:0], number, random)
		if err := aim.exchange(opened, number); err != nil {
			return nil, err
		}
		after := time.Now()
		latencies = append(latencies, after.Sub(now))
		now = after
	}
	return latencies, nil
}

// pace sends requests at a rate, over as many connections as it needs up to a bound. A request that has to wait for a
// connection waits at the client's cost: its latency begins when it was due.
func pace(ctx context.Context, aim target, connections, rate int, duration time.Duration) (outcome, error) {
	total := int(float64(rate) * duration.Seconds())
	due := make(chan time.Time, total)
	sets := make([][]time.Duration, connections)
	loading, loadCtx := errgroup.WithContext(ctx)
	before, databaseBefore := processorTime(aim.pid), aim.databaseTime()
	started := time.Now()
	for number := range connections {
		loading.Go(func() (err error) {
			sets[number], err = paceOne(loadCtx, aim, number, due, started.Add(duration))
			return err
		})
	}
	loading.Go(func() error {
		defer close(due)
		for i := range total {
			at := started.Add(time.Duration(i) * time.Second / time.Duration(rate))
			if err := clock.Sleep(loadCtx, time.Until(at)); err != nil {
				return err
			}
			due <- at
		}
		return nil
	})
	if err := loading.Wait(); err != nil {
		return outcome{}, err
	}
	return aim.outcome(sets, started, before, databaseBefore), nil
}

func paceOne(ctx context.Context, aim target, number int, due <-chan time.Time, end time.Time) ([]time.Duration, error) {
	opened, err := dial(ctx, aim.address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	_ = opened.SetDeadline(end.Add(requestTimeout))
	random := rand.New(rand.NewPCG(uint64(number), uint64(end.UnixNano())))
	var latencies []time.Duration
	for at := range due {
		opened.request = aim.next(opened.request[:0], number, random)
		if err := aim.exchange(opened, number); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(at))
	}
	return latencies, ctx.Err()
}

// exchange sends the request that a connection has ready and takes the answer.
func (t target) exchange(opened *connection, number int) error {
	status, body, err := opened.exchange(t.answered != nil)
	switch {
	case err != nil:
		return fmt.Errorf("request: %w", err)
	case status != http.StatusOK:
		return fmt.Errorf("request answered %d: %s", status, body)
	case t.answered != nil:
		return t.answered(number, body)
	}
	return nil
}
