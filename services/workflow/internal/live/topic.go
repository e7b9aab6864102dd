package live

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

const (
	// maxKept and maxKeptBytes bound what a topic keeps of the latest changes for streams that are a little behind. Decoded
	// they take about three times their bytes, and a topic may have one stream only.
	maxKept      = 32
	maxKeptBytes = 8 << 10
)

// change is one change, decoded once and shared by all streams, which only read it.
type change struct {
	revision int64
	size     int
	response *workflowv1.WatchProjectResponse
}

func decodeChange(row store.Change) (*change, error) {
	decoded := &workflowv1.ProjectChange{}
	if err := proto.Unmarshal(row.Payload, decoded); err != nil {
		return nil, fmt.Errorf("decode change %d: %w", row.Revision, err)
	}
	return &change{
		revision: row.Revision, size: len(row.Payload),
		response: &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Change{Change: decoded}},
	}, nil
}

// topic is one watched project: its latest changes, without gaps, and the streams to wake.
type topic struct {
	ref domain.ProjectRef

	mu sync.Mutex
	// head is the revision of the newest change that was read; kept ends with it.
	head      int64
	kept      []*change
	keptBytes int
	streams   map[*stream]struct{}

	// asked says that somebody wants the topic read, busy that it is in the readers' queue or being read.
	asked bool
	busy  bool
}

// ask notes that there may be something to read, and reports whether the caller must put the topic in the queue.
func (t *topic) ask() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = true
	if t.busy {
		return false
	}
	t.busy = true
	return true
}

// begin is called before a read: whoever asks from now on may have seen something the read does not.
func (t *topic) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked = false
}

// finish ends the reading, unless somebody has asked since it began.
func (t *topic) finish() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.asked {
		t.asked = false
		return false
	}
	t.busy = false
	return true
}

// forget gives up the reading, whoever has asked.
func (t *topic) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.busy = false, false
}

func (t *topic) newest() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.head
}

// append adds what was read after head and wakes the streams. After a gap, left by changes that were removed before
// they were read, it begins anew: streams from before it read the table, find the gap and get a snapshot.
func (t *topic) append(changes []*change) {
	if len(changes) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if changes[0].revision != t.head+1 {
		t.kept, t.keptBytes = nil, 0
	}
	for _, added := range changes {
		t.kept = append(t.kept, added)
		t.keptBytes += added.size
	}
	t.head = changes[len(changes)-1].revision
	for len(t.kept) > 1 && (len(t.kept) > maxKept || t.keptBytes > maxKeptBytes) {
		t.keptBytes -= t.kept[0].size
		// The slice's memory is let go when append moves it.
		t.kept[0] = nil
		t.kept = t.kept[1:]
	}
	for watching := range t.streams {
		select {
		case watching.woken <- struct{}{}:
		default:
		}
	}
}

// after returns some of the changes after a revision. behind says that there are some which are no longer kept here.
func (t *topic) after(revision int64, limit int) (changes []*change, behind bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision >= t.head {
		return nil, false
	}
	if len(t.kept) == 0 || t.kept[0].revision > revision+1 {
		return nil, true
	}
	from := int(revision + 1 - t.kept[0].revision)
	to := min(from+limit, len(t.kept))
	return append([]*change(nil), t.kept[from:to]...), false
}
