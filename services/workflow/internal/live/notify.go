package live

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

const (
	// notifyPause is the least time between two notifications: commits meanwhile share the second one.
	notifyPause = 10 * time.Millisecond
	// everything stands in a notification for all projects, when there are too many to name.
	everything = "*"
	// maxNamed is how many projects a notification names: an identifier and a separator each, after the instance.
	maxNamed = store.MaxNotification/37 - 1
	// listenPause is the wait before listening is tried again.
	listenPause = time.Second
)

// outgoing collects the projects that other processes must hear of.
type outgoing struct {
	signal chan struct{}

	mu       sync.Mutex
	projects map[id.ID]struct{}
}

func newOutgoing() *outgoing {
	return &outgoing{signal: make(chan struct{}, 1), projects: map[id.ID]struct{}{}}
}

// add never blocks, and holds no more than it takes to know that there are too many.
func (o *outgoing) add(projectID id.ID) {
	o.mu.Lock()
	if len(o.projects) <= maxNamed {
		o.projects[projectID] = struct{}{}
	}
	o.mu.Unlock()
	select {
	case o.signal <- struct{}{}:
	default:
	}
}

// take returns the text of a notification and forgets what it names.
func (o *outgoing) take(instance string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	words := []string{instance}
	if len(o.projects) > maxNamed {
		words = append(words, everything)
	} else {
		for projectID := range o.projects {
			words = append(words, projectID.String())
		}
	}
	clear(o.projects)
	return strings.Join(words, " ")
}

// notifyForever tells the other processes of this one's commits. One that does not hear has its poll.
func (h *Hub) notifyForever(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.outgoing.signal:
		}
		if err := store.Notify(ctx, h.database, h.outgoing.take(h.instance)); err != nil && ctx.Err() == nil {
			h.metrics.failures.Inc()
			h.logger.WarnContext(ctx, "other processes not notified of changes", slog.String("cause", err.Error()))
		}
		if clock.Sleep(ctx, notifyPause) != nil {
			return
		}
	}
}

// listenForever hears of other processes' commits. Each time it begins to listen, everything is read: what happened
// before was not heard.
func (h *Hub) listenForever(ctx context.Context) {
	for {
		if err := store.Listen(ctx, h.database, h.wakeAll, h.heard); err != nil && ctx.Err() == nil {
			h.metrics.failures.Inc()
			h.logger.WarnContext(ctx, "changes of other processes not heard, tried again", slog.String("cause", err.Error()))
		}
		if clock.Sleep(ctx, listenPause) != nil {
			return
		}
	}
}

func (h *Hub) heard(text string) {
	instance, projects, _ := strings.Cut(text, " ")
	if instance == h.instance {
		return
	}
	for word := range strings.SplitSeq(projects, " ") {
		if word == everything {
			h.wakeAll()
			return
		}
		if projectID, err := id.Parse(word); err == nil {
			h.wake(projectID)
		}
	}
}
