package live

import (
	"context"
	"strconv"
	"time"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// sendBatch is how many changes a stream takes at once; its access is checked before each batch.
const sendBatch = 32

// Request is what somebody wants to watch.
type Request struct {
	Project domain.ProjectRef
	// UserID is who watches; LastEventID the revision seen last, as the client wrote it, or empty.
	UserID      id.ID
	LastEventID string
	// Check answers whether the user may still watch. It is called often and must be cheap.
	Check func(ctx context.Context) error
}

// stream is one open stream. It holds no changes: only where it is.
type stream struct {
	hub     *Hub
	request Request
	topic   *topic
	send    func(*workflowv1.WatchProjectResponse) error
	woken   chan struct{}
	// cursor is the revision up to which the client knows everything.
	cursor int64
	// doubtful is since when nobody can tell whether the user may watch; zero when that is known.
	doubtful time.Time
}

var heartbeat = &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Heartbeat{Heartbeat: &workflowv1.Heartbeat{}}}

// Watch sends a project's events until the client goes away, the user may no longer watch, or the process stops; it
// always returns an error.
func (h *Hub) Watch(ctx context.Context, request Request, send func(*workflowv1.WatchProjectResponse) error) error {
	if err := h.admit(request.UserID); err != nil {
		return err
	}
	defer h.dismiss(request.UserID)
	project, err := h.project(ctx, request.Project)
	if err != nil {
		return err
	}
	opened := &stream{hub: h, request: request, send: send, woken: make(chan struct{}, 1)}
	h.join(opened, project.Revision)
	defer h.leave(opened)
	if err := opened.open(project); err != nil {
		return err
	}
	return opened.run(ctx)
}

func (h *Hub) project(ctx context.Context, of domain.ProjectRef) (domain.Project, error) {
	scope := pg.Scope{OrganizationID: of.OrganizationID}
	return store.GetProject(ctx, h.database.Point(scope), of.OrganizationID, of.ProjectID)
}

// admit counts a stream in, within the limits.
func (h *Hub) admit(userID id.ID) error {
	select {
	case <-h.stopping:
		return errStopping
	default:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.streams >= h.config.MaxStreams:
		return errTooManyStreams
	case h.userStreams[userID] >= h.config.MaxUserStreams:
		return errTooManyOfUser
	}
	h.streams++
	h.userStreams[userID]++
	h.metrics.streams.Inc()
	return nil
}

func (h *Hub) dismiss(userID id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	h.metrics.streams.Dec()
	if h.userStreams[userID]--; h.userStreams[userID] == 0 {
		delete(h.userStreams, userID)
	}
}

// join adds the stream to its project's topic. A new topic begins at the revision the stream has just read and is read
// at once: what was committed since has woken nobody.
func (h *Hub) join(opened *stream, revision int64) {
	h.mu.Lock()
	watched, known := h.topics[opened.request.Project.ProjectID]
	if !known {
		watched = &topic{ref: opened.request.Project, head: revision, streams: map[*stream]struct{}{}}
		h.topics[opened.request.Project.ProjectID] = watched
	}
	watched.mu.Lock()
	watched.streams[opened] = struct{}{}
	watched.mu.Unlock()
	h.mu.Unlock()
	opened.topic = watched
	if !known {
		h.enqueue(watched)
	}
}

// leave takes the stream out; the last one takes the topic with it.
func (h *Hub) leave(closed *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	closed.topic.mu.Lock()
	defer closed.topic.mu.Unlock()
	delete(closed.topic.streams, closed)
	if len(closed.topic.streams) == 0 {
		delete(h.topics, closed.topic.ref.ProjectID)
	}
}

// open sends the first event: a snapshot, unless the client named a revision that the project has had. When nothing was
// missed since, a heartbeat shows the client that the stream stands.
func (s *stream) open(project domain.Project) error {
	last, err := strconv.ParseInt(s.request.LastEventID, 10, 64)
	if err != nil || last > project.Revision {
		return s.snapshot(project)
	}
	s.cursor = last
	if last == project.Revision {
		return s.send(heartbeat)
	}
	return nil
}

func (s *stream) snapshot(project domain.Project) error {
	s.hub.metrics.snapshots.Inc()
	s.cursor = project.Revision
	return s.send(&workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Snapshot{
		Snapshot: &workflowv1.ProjectSnapshot{Revision: project.Revision, Project: app.EncodeProject(project)},
	}})
}

func (s *stream) run(ctx context.Context) error {
	silence := time.NewTimer(s.hub.config.Heartbeat)
	defer silence.Stop()
	access := time.NewTicker(s.hub.config.AccessInterval)
	defer access.Stop()
	for {
		select {
		case <-s.hub.stopping:
			// Also for a stream that never runs out of changes.
			return errStopping
		default:
		}
		allowed, err := s.mayWatch(ctx)
		if err != nil {
			return err
		}
		if allowed {
			sent, err := s.advance(ctx)
			if err != nil {
				return err
			}
			if sent {
				silence.Reset(s.hub.config.Heartbeat)
				continue
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.hub.stopping:
			return errStopping
		case <-s.woken:
		case <-access.C:
		case <-silence.C:
			if err := s.send(heartbeat); err != nil {
				return err
			}
			silence.Reset(s.hub.config.Heartbeat)
		}
	}
}

// mayWatch checks the user's access. While nobody can tell, nothing is shown, and after some time the stream ends.
func (s *stream) mayWatch(ctx context.Context) (bool, error) {
	err := s.request.Check(ctx)
	switch {
	case err == nil:
		s.doubtful = time.Time{}
		return true, nil
	case errs.KindOf(err) != errs.Unavailable || ctx.Err() != nil:
		return false, err
	case s.doubtful.IsZero():
		s.doubtful = s.hub.clock.Now()
	case s.hub.clock.Now().Sub(s.doubtful) > s.hub.config.AccessGrace:
		return false, err
	}
	return false, nil
}

// advance sends what comes next, and reports whether there was anything.
func (s *stream) advance(ctx context.Context) (sent bool, err error) {
	changes, behind := s.topic.after(s.cursor, sendBatch)
	if behind {
		changes, err = s.catchUp(ctx)
		if err != nil {
			return false, err
		}
		if len(changes) == 0 || changes[0].revision != s.cursor+1 {
			// What comes next is no longer kept.
			project, err := s.hub.project(ctx, s.request.Project)
			if err != nil {
				return false, err
			}
			return true, s.snapshot(project)
		}
	}
	for _, next := range changes {
		if err := s.send(next.response); err != nil {
			return false, err
		}
		s.cursor = next.revision
		s.hub.metrics.sent.Inc()
		s.hub.metrics.delay.Observe(max(0, s.hub.clock.Now().Sub(next.response.GetChange().GetChangeTime().AsTime()).Seconds()))
	}
	return len(changes) > 0, nil
}

// catchUp reads the table for a stream that the topic no longer reaches back to.
func (s *stream) catchUp(ctx context.Context) ([]*change, error) {
	select {
	case s.hub.catchUp <- struct{}{}:
		defer func() { <-s.hub.catchUp }()
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.hub.stopping:
		return nil, errStopping
	}
	changes, _, err := s.hub.load(ctx, s.request.Project, s.cursor)
	return changes, err
}
