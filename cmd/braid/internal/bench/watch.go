package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/clock"
)

// streamTimeout bounds the wait for what the streams still have to bring.
const streamTimeout = 10 * time.Second

// streams are many clients that watch.
type streams struct {
	connections []*connection
	begun       atomic.Int64
	changes     atomic.Int64

	mu     sync.Mutex
	delays []time.Duration
}

// measureWatch opens streams, has changes made in what they watch, and takes the time until each stream has each.
func (r *run) measureWatch(ctx context.Context) error {
	work := r.createWork(r.stock.streams, 0)
	// Whatever the first requests take in memory is not the streams'.
	if _, err := pace(ctx, work, r.connections, r.changeRate, r.warm); err != nil {
		return err
	}
	before, err := r.liveMemory(ctx)
	if err != nil {
		return err
	}
	watching := &streams{}
	readers, err := watching.open(ctx, r)
	if err != nil {
		return err
	}
	open, err := r.liveMemory(ctx)
	if err != nil {
		watching.close()
		return errors.Join(err, readers.Wait())
	}
	perStream := (open - before) / int64(r.plan.streams)
	result, err := pace(ctx, work, r.connections, r.changeRate, r.changes)
	if err != nil {
		watching.close()
		return errors.Join(err, readers.Wait())
	}
	expected := int64(result.requests) * int64(r.plan.streams/r.streamGroups)
	for deadline := time.Now().Add(streamTimeout); watching.changes.Load() < expected && time.Now().Before(deadline); {
		if clock.Sleep(ctx, readyPoll) != nil {
			break
		}
	}
	watching.close()
	if err := readers.Wait(); err != nil {
		return err
	}
	if got := watching.changes.Load(); got != expected {
		return fmt.Errorf("the streams brought %d changes, expected %d", got, expected)
	}
	slices.Sort(watching.delays)
	p99 := quantile(watching.delays, .99)
	r.report.add(row{
		work: fmt.Sprintf("watch: %d streams, %d changes/s", r.plan.streams, r.changeRate), figure: fmt.Sprintf("%d deliveries", expected),
		p50: milliseconds(quantile(watching.delays, .5)), p99: milliseconds(p99), target: "p99 ≤ 100 ms", met: met(p99 <= 100*time.Millisecond),
	})
	r.report.add(row{
		work: "· memory per stream (heap and stacks in use, collected)", figure: fmt.Sprintf("%.0f KB", float64(perStream)/1024), target: "≤ 60 KB", met: met(perStream <= 60<<10),
	})
	return nil
}

// open opens all streams and returns when each has told where it begins.
func (s *streams) open(ctx context.Context, r *run) (*errgroup.Group, error) {
	readers := &errgroup.Group{}
	opening, openCtx := errgroup.WithContext(ctx)
	opening.SetLimit(r.connections)
	s.connections = make([]*connection, r.plan.streams)
	for number := range s.connections {
		opening.Go(func() error {
			watched := r.stock.streams[number%len(r.stock.streams)]
			opened, err := dial(openCtx, r.instance.public)
			if err != nil {
				return err
			}
			s.connections[number] = opened
			_ = opened.SetDeadline(time.Now().Add(time.Minute))
			opened.request = appendRequest(nil, "GET", fmt.Sprintf("/api/v1/organizations/%s/projects/%s:watch", watched.organization.id, watched.id), watched.organization.owner.token, "")
			if _, err := opened.Write(opened.request); err != nil {
				return err
			}
			if status, _, err := opened.readHeader(); err != nil || status != http.StatusOK {
				return errors.Join(err, fmt.Errorf("the stream answered %d", status))
			}
			readers.Go(func() error { return s.read(opened) })
			return nil
		})
	}
	if err := opening.Wait(); err != nil {
		s.close()
		return nil, errors.Join(err, readers.Wait())
	}
	for s.begun.Load() < int64(r.plan.streams) {
		if err := clock.Sleep(ctx, readyPoll); err != nil {
			s.close()
			return nil, errors.Join(fmt.Errorf("%d streams have begun: %w", s.begun.Load(), err), readers.Wait())
		}
	}
	return readers, nil
}

func (s *streams) close() {
	for _, opened := range s.connections {
		if opened != nil {
			_ = opened.Close()
		}
	}
}

var (
	snapshotLine = []byte("event: snapshot")
	dataLine     = []byte("data: ")
	changeTime   = []byte(`"changeTime":"`)
)

// read takes events until the connection is closed. A change says when the service made it, just before its commit.
func (s *streams) read(opened *connection) error {
	var delays []time.Duration
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.delays = append(s.delays, delays...)
	}()
	for {
		line, err := opened.reader.ReadSlice('\n')
		if err != nil {
			return nil // Closed by us; a stream that ended early shows in the number of changes.
		}
		if bytes.HasPrefix(line, snapshotLine) {
			s.begun.Add(1)
			continue
		}
		_, rest, found := bytes.Cut(line, changeTime)
		if !found || !bytes.HasPrefix(line, dataLine) {
			continue
		}
		text, _, _ := bytes.Cut(rest, []byte{'"'})
		made, err := time.Parse(time.RFC3339Nano, string(text))
		if err != nil {
			return fmt.Errorf("change without a time: %w", err)
		}
		delays = append(delays, time.Since(made))
		s.changes.Add(1)
	}
}
