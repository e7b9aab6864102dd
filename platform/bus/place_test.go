package bus

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// world is a publisher's outbox, its relays, its topic and one reader, each of whose steps may come between any others'.
type world struct {
	*rapid.T
	now time.Time
	// outbox holds what is committed and not deleted; committed is when each event was.
	outbox    []int
	committed []time.Time
	// topic holds events by partition, promises what is on the topic of watermarks.
	topicID  int
	topic    [][]int
	promises []Watermark
	relays   [2]relay

	reader  *place
	heard   int // promises read
	handled map[int]bool
}

// relay is in the middle of a round. Any may believe to be the active one.
type relay struct {
	before time.Time
	// unsent is what its snapshot of the outbox held, sent what of it was acknowledged.
	unsent, sent []int
	// ends are set once it has asked for them.
	ends *Ends
}

func (w *world) tick() time.Time {
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) id() string { return time.Duration(w.topicID).String() }

func (w *world) commit() {
	w.outbox = append(w.outbox, len(w.committed))
	w.committed = append(w.committed, w.tick())
}

// relay does the next step of one: look into the outbox, publish one event, delete, ask for the ends, promise.
func (w *world) relay() {
	acting := &w.relays[rapid.IntRange(0, len(w.relays)-1).Draw(w.T, "relay")]
	switch {
	case acting.before.IsZero():
		*acting = relay{before: w.tick(), unsent: append([]int(nil), w.outbox...)}
	case len(acting.unsent) > 0:
		event := acting.unsent[0]
		partition := event % len(w.topic)
		w.topic[partition] = append(w.topic[partition], event)
		acting.unsent, acting.sent = acting.unsent[1:], append(acting.sent, event)
	case len(acting.sent) > 0:
		event := acting.sent[0]
		acting.sent = acting.sent[1:]
		for position, waiting := range w.outbox {
			if waiting == event {
				w.outbox = append(w.outbox[:position:position], w.outbox[position+1:]...)
				break
			}
		}
	case acting.ends == nil:
		acting.ends = &Ends{TopicID: w.id()}
		for _, records := range w.topic {
			acting.ends.Offsets = append(acting.ends.Offsets, int64(len(records)))
		}
	default:
		w.promises = append(w.promises, Watermark{Time: acting.before, Ends: *acting.ends})
		*acting = relay{}
	}
}

// several takes some steps in a row, so that rounds come to an end at all.
func (w *world) several(step func()) {
	for range rapid.IntRange(1, 8).Draw(w.T, "steps") {
		step()
	}
}

func (w *world) die() { w.relays[rapid.IntRange(0, len(w.relays)-1).Draw(w.T, "dies")] = relay{} }

func (w *world) addPartition() {
	if len(w.topic) < 5 {
		w.topic = append(w.topic, nil)
	}
}

// recreate makes the topic again; rounds under way fail, because the clients behind them know the old one.
func (w *world) recreate() {
	w.topicID++
	w.topic = make([][]int, rapid.IntRange(1, 3).Draw(w.T, "partitions"))
	w.relays = [2]relay{}
}

// begin is what a reader does at the start and whenever it begins again.
func (w *world) begin() {
	var found []bounds
	for _, records := range w.topic {
		found = append(found, bounds{end: int64(len(records))})
	}
	if w.reader == nil {
		w.reader = newPlace(w.id(), found)
		return
	}
	var lost bool
	if w.reader, lost = w.reader.resume(w.id(), found); lost {
		w.reset()
	}
}

// reset drops what was built, which leaves nothing that could be out of date.
func (w *world) reset() {
	for event := range w.committed {
		w.handled[event] = true
	}
}

func (w *world) readEvent() {
	partition := rapid.IntRange(0, len(w.reader.next)-1).Draw(w.T, "partition")
	if w.reader.topicID != w.id() {
		return // The client reads nothing of another topic than it began with.
	}
	if next := w.reader.next[partition]; next < int64(len(w.topic[partition])) {
		require.False(w.T, w.reader.take(int32(partition), next))
		w.handled[w.topic[partition][next]] = true
	}
}

func (w *world) readPromise() {
	if w.heard == len(w.promises) {
		return
	}
	w.heard++
	_, err := w.reader.promise(w.promises[w.heard-1])
	if err == nil {
		return
	}
	if errors.Is(err, errShrunk) {
		w.reader = nil
		w.reset()
	}
	w.begin()
}

// A reader is never fresher than what it has handled, whatever the relays do, and it becomes fresh when all is read.
func TestFreshnessIsNeverPastWhatWasHandled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := &world{T: t, now: time.Unix(1_000_000, 0), topic: make([][]int, 2), handled: map[int]bool{}}
		w.begin()
		t.Repeat(map[string]func(*rapid.T){
			"commit":  func(*rapid.T) { w.commit() },
			"relay 1": func(*rapid.T) { w.several(w.relay) }, "relay 2": func(*rapid.T) { w.several(w.relay) },
			"event":         func(*rapid.T) { w.several(w.readEvent) },
			"promise":       func(*rapid.T) { w.several(w.readPromise) },
			"relay dies":    func(*rapid.T) { w.die() },
			"add partition": func(*rapid.T) { w.addPartition() },
			"recreate": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "seldom") {
					w.recreate()
				}
			},
			"reader begins again": func(*rapid.T) { w.begin() },
			"": func(t *rapid.T) {
				fresh := w.reader.freshness()
				for event, at := range w.committed {
					require.False(t, at.Before(fresh) && !w.handled[event], "fresh as of %s, but event %d of %s is not handled", fresh, event, at)
				}
			},
		})
		w.requireFreshAtLast()
	})
}

func (w *world) requireFreshAtLast() {
	w.begin()
	w.relays = [2]relay{}
	w.heard = len(w.promises)
	last := Watermark{Time: w.tick(), Ends: Ends{TopicID: w.id()}}
	for _, records := range w.topic {
		last.Offsets = append(last.Offsets, int64(len(records)))
	}
	_, err := w.reader.promise(last)
	if errors.Is(err, errShrunk) {
		return
	}
	require.NoError(w.T, err)
	for partition, records := range w.topic {
		for w.reader.next[partition] < int64(len(records)) {
			w.reader.take(int32(partition), w.reader.next[partition])
		}
	}
	require.Equal(w.T, last.Time, w.reader.freshness())
}

func TestAnotherTopicIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	reader := newPlace("a", []bounds{{end: 3, since: 3}})
	resumed, lost := reader.resume("b", []bounds{{end: 3}})
	require.True(t, lost)
	require.Equal(t, []int64{0}, resumed.next, "as long as the other one, and nothing of it is read")
	_, lost = resumed.resume("b", []bounds{{end: 3}, {end: 2}})
	require.False(t, lost)
}

func watermark(second int64, ends ...int64) Watermark {
	return Watermark{Time: time.Unix(second, 0), Ends: Ends{TopicID: "a", Offsets: ends}}
}

func TestAReaderThatIsAlwaysALittleBehindIsFreshAsOfWhatItReached(t *testing.T) {
	t.Parallel()
	reader := newPlace("a", []bounds{{}})
	for second := range int64(100) {
		_, err := reader.promise(watermark(second+1, second+2))
		require.NoError(t, err)
		reader.take(0, second)
		if fresh := reader.freshness(); second > 0 {
			require.Equal(t, second, fresh.Unix())
		}
	}
}

func TestAPromiseWhoseRecordsDoNotComeBeginsReadingAgain(t *testing.T) {
	t.Parallel()
	reader := newPlace("a", []bounds{{}, {}})
	for second := range int64(31) {
		_, err := reader.promise(watermark(second+1, 5, 0))
		require.NoError(t, err)
	}
	_, err := reader.promise(watermark(40, 5, 0))
	require.ErrorIs(t, err, errStalled)
	resumed, lost := reader.resume("a", []bounds{{start: 5, end: 5, since: 5}, {}})
	require.True(t, lost, "retention took them")
	_, err = resumed.promise(watermark(41, 5, 0))
	require.NoError(t, err)
	require.Equal(t, time.Unix(41, 0), resumed.freshness())
}

func TestWatermarksAreReadStrictly(t *testing.T) {
	t.Parallel()
	record, err := NewWatermark("thing", time.Unix(7, 5), Ends{TopicID: "a", Offsets: []int64{3, 0}})
	require.NoError(t, err)
	require.Equal(t, `{"time":"1970-01-01T00:00:07.000000005Z","topicId":"a","ends":[3,0]}`, string(record.Value))
	read, err := decodeWatermark(record)
	require.NoError(t, err)
	require.Equal(t, Watermark{Time: time.Unix(7, 5).UTC(), Ends: Ends{TopicID: "a", Offsets: []int64{3, 0}}}, read)
	for _, bad := range []string{"", "{}", `{"time":"1970-01-01T00:00:07Z"}`, `{"ends":[1]}`, `{"time":"yesterday","ends":[1]}`, `{"time":"1970-01-01T00:00:07Z","ends":["1"]}`} {
		_, err := decodeWatermark(Record{Value: []byte(bad)})
		require.ErrorIs(t, err, ErrMalformed, bad)
	}
}
