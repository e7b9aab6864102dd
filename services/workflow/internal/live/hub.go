// Package live shows a project's changes to those who watch it: in the order of their revisions, each once, and gone on
// from where a client was. There is one hub in a process. It reads each watched project's new changes once, however
// many streams watch it, and streams take them from there at their own pace; one that falls behind reads the table.
//
// The truth is the table alone. What wakes the hub (a commit in this process, a notification from another, a slow poll)
// only says that there may be something to read, so a lost or a doubled wake-up loses and doubles nothing.
package live

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

const (
	// readers is how many projects are read at once, and catchUps how many streams read the table for themselves at
	// once: streams must leave connections to requests.
	readers  = 3
	catchUps = 3
	// readBatch is how many changes one statement reads.
	readBatch = 200
)

var (
	errTooManyStreams = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many streams are open; try again later.").
				WithRetryAfter(5 * time.Second)
	errTooManyOfUser = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "You have too many streams open.").
				WithRetryAfter(5 * time.Second)
	errStopping = errs.New(errs.Unavailable, "UNAVAILABLE", "The stream moves to another server; connect again.").
			WithRetryAfter(time.Second)
)

// Config says how streams behave.
type Config struct {
	// Heartbeat is how long a stream is silent before it says so.
	Heartbeat time.Duration
	// AccessInterval is how often a silent stream's access is checked; with changes it is checked for each.
	AccessInterval time.Duration
	// AccessGrace is how long a stream waits, in silence, while nobody can tell whether it may go on.
	AccessGrace time.Duration
	// PollInterval is how often revisions are compared, in case a wake-up was lost.
	PollInterval time.Duration
	// MaxStreams and MaxUserStreams bound the open streams of the process and of one user.
	MaxStreams     int
	MaxUserStreams int
}

// Hub is one process's view of the projects that are watched there.
type Hub struct {
	config   Config
	database *pg.DB
	clock    clock.Clock
	logger   *slog.Logger
	metrics  *metrics
	// instance lets the process overhear its own notifications.
	instance string

	work     chan *topic
	catchUp  chan struct{}
	stopping chan struct{}
	stopOnce sync.Once
	outgoing *outgoing

	mu          sync.Mutex
	topics      map[id.ID]*topic
	streams     int
	userStreams map[id.ID]int
}

// NewHub returns a hub without streams. Changes of other processes are seen while it runs.
func NewHub(database *pg.DB, config Config, clock clock.Clock, logger *slog.Logger, registerer prometheus.Registerer) *Hub {
	return &Hub{
		config: config, database: database, clock: clock, logger: logger, metrics: newMetrics(registerer), instance: id.New().String(),
		work: make(chan *topic, config.MaxStreams), catchUp: make(chan struct{}, catchUps), stopping: make(chan struct{}),
		outgoing: newOutgoing(), topics: map[id.ID]*topic{}, userStreams: map[id.ID]int{},
	}
}

// Part runs the hub; when the process drains, its streams end and their clients connect elsewhere.
func (h *Hub) Part(service string) module.Part {
	return module.Part{Name: service + ".live", Run: h.Run, Drain: func(context.Context) { h.Stop() }}
}

// Stop ends all streams and refuses new ones.
func (h *Hub) Stop() { h.stopOnce.Do(func() { close(h.stopping) }) }

// Run reads and notifies until ctx ends, and returns nil then. A database that can't be reached is waited for.
func (h *Hub) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	for range readers {
		running.Go(func() { h.readForever(ctx) })
	}
	running.Go(func() { h.notifyForever(ctx) })
	running.Go(func() { h.listenForever(ctx) })
	running.Go(func() { h.pollForever(ctx) })
	<-ctx.Done()
	h.Stop()
	return nil
}

// Changed is told of every commit in this process that changed a project. It never blocks.
func (h *Hub) Changed(of domain.ProjectRef) {
	h.wake(of.ProjectID)
	h.outgoing.add(of.ProjectID)
}

// wake has a project read, when it is watched here.
func (h *Hub) wake(projectID id.ID) {
	h.mu.Lock()
	watched := h.topics[projectID]
	h.mu.Unlock()
	if watched != nil {
		h.enqueue(watched)
	}
}

func (h *Hub) wakeAll() {
	for _, watched := range h.watched() {
		h.enqueue(watched)
	}
}

// watched returns all topics there are.
func (h *Hub) watched() []*topic {
	h.mu.Lock()
	defer h.mu.Unlock()
	topics := make([]*topic, 0, len(h.topics))
	for _, watched := range h.topics {
		topics = append(topics, watched)
	}
	return topics
}

// enqueue puts a topic in the readers' queue, where it is at most once.
func (h *Hub) enqueue(watched *topic) {
	if !watched.ask() {
		return
	}
	select {
	case h.work <- watched:
	default:
		// The queue holds as many topics as there can be streams, so this is next to impossible; the poll asks again.
		watched.forget()
	}
}

func (h *Hub) readForever(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case watched := <-h.work:
			h.read(ctx, watched)
		}
	}
}

// read brings a topic up to date. A failure leaves the rest to the poll.
func (h *Hub) read(ctx context.Context, watched *topic) {
	for watched.begin(); ; {
		changes, more, err := h.load(ctx, watched.ref, watched.newest())
		if err != nil {
			watched.forget()
			if ctx.Err() == nil {
				h.metrics.failures.Inc()
				h.logger.WarnContext(ctx, "changes of a project not read, tried again", slog.String("project", watched.ref.ProjectID.String()),
					slog.String("cause", err.Error()))
			}
			return
		}
		watched.append(changes)
		if !more && watched.finish() {
			return
		}
	}
}

// load reads the changes after a revision, up to the first gap, and says whether there may be more. Gaps are where old
// changes have been removed; that happens by time, which is only nearly the order of revisions. It runs under the app
// role in the project's organization.
func (h *Hub) load(ctx context.Context, of domain.ProjectRef, after int64) (changes []*change, more bool, err error) {
	h.metrics.reads.Inc()
	rows, err := store.ListChanges(ctx, h.database.Read(pg.Scope{OrganizationID: of.OrganizationID}), of, after, readBatch)
	if err != nil {
		return nil, false, err
	}
	changes = make([]*change, 0, len(rows))
	for i, row := range rows {
		if i > 0 && row.Revision != rows[i-1].Revision+1 {
			return changes, true, nil
		}
		decoded, err := decodeChange(row)
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, decoded)
	}
	return changes, len(rows) == readBatch, nil
}

// pollForever compares revisions, in case a wake-up was lost.
func (h *Hub) pollForever(ctx context.Context) {
	ticker := time.NewTicker(h.config.PollInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := h.poll(ctx); err != nil && ctx.Err() == nil {
				h.metrics.failures.Inc()
				h.logger.WarnContext(ctx, "revisions of watched projects not read, tried again", slog.String("cause", err.Error()))
			}
		}
	}
}

// pollBatch is how many projects one statement of the poll asks about.
const pollBatch = 1000

func (h *Hub) poll(ctx context.Context) error {
	topics := h.watched()
	for len(topics) > 0 {
		batch := topics[:min(pollBatch, len(topics))]
		topics = topics[len(batch):]
		refs := make([]domain.ProjectRef, len(batch))
		for i, watched := range batch {
			refs[i] = watched.ref
		}
		revisions, err := store.ListRevisions(ctx, h.database.WorkerRead(), refs)
		if err != nil {
			return err
		}
		for _, watched := range batch {
			if revisions[watched.ref] > watched.newest() {
				h.enqueue(watched)
			}
		}
	}
	return nil
}
