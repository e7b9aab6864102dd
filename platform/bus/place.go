package bus

import (
	"errors"
	"time"
)

// stallPatience is how long a promise may wait for records that do not come, by the clock of the publisher. Reading then
// begins again where it was: what is missing may have been taken away by retention, with nothing behind it to show that.
const stallPatience = 30 * time.Second

// Why the broadcast reader begins again.
var (
	errAnotherTopic = errors.New("the topic was deleted and made again")
	errShrunk       = errors.New("the topic has lost records")
	errStalled      = errors.New("records that were promised do not come")
)

// place is how far the broadcast reader has read one publisher's events, and what it makes of the publisher's promises.
type place struct {
	// topicID is of the topic that the offsets are about.
	topicID string
	// next is, by partition, the offset that the next record must have. Topics of events have no gaps (no transactions, no
	// compaction), so with any other offset the log has lost something, or the reader has.
	next []int64
	// latest is the youngest promise, waiting an older one that has not been reached yet: a reader that is always a little
	// behind the latest reaches that one, and then what was the latest by then.
	latest, waiting Watermark
	// fresh is the time of the youngest promise that was reached.
	fresh time.Time
}

// take moves a partition's place behind the record at offset, and says whether there was a gap in front of it.
func (p *place) take(partition int32, offset int64) (gap bool) {
	gap = p.next[partition] != offset
	p.next[partition] = offset + 1
	return gap
}

// promise takes a watermark. It returns the partitions that are new by it, which are read from their first record on, and
// an error when reading must begin again. A promise of fewer partitions than are known comes from somebody who does not
// know of all yet, and one from a relay that lost its leadership may come late: the first is not believed, the second is
// true and no longer of interest.
func (p *place) promise(watermark Watermark) (added []int32, err error) {
	switch {
	case watermark.TopicID != p.topicID:
		return nil, errAnotherTopic
	case !watermark.Time.After(p.latest.Time) || len(watermark.Offsets) < len(p.next):
		return nil, nil
	}
	for partition, end := range p.latest.Offsets {
		if watermark.Offsets[partition] < end {
			return nil, errShrunk
		}
	}
	for partition := len(p.next); partition < len(watermark.Offsets); partition++ {
		p.next = append(p.next, 0)
		added = append(added, int32(partition)) //nolint:gosec // Kafka itself counts partitions in an int32.
	}
	if p.waiting.Time.IsZero() && !p.reached(p.latest) {
		p.waiting = p.latest
	}
	p.latest = watermark
	if !p.waiting.Time.IsZero() && !p.reached(p.waiting) && watermark.Time.Sub(p.waiting.Time) > stallPatience {
		return nil, errStalled
	}
	return added, nil
}

func (p *place) reached(watermark Watermark) bool {
	for partition, end := range watermark.Offsets {
		if p.next[partition] < end {
			return false
		}
	}
	return true
}

// freshness returns the time of the youngest promise that what was read has reached; zero for none.
func (p *place) freshness() time.Time {
	switch {
	case p.reached(p.latest):
		p.fresh, p.waiting = p.latest.Time, Watermark{}
	case !p.waiting.Time.IsZero() && p.reached(p.waiting):
		p.fresh, p.waiting = p.waiting.Time, p.latest
	}
	return p.fresh
}

// bounds are offsets of one partition: where it starts and ends, and the first that is young enough to matter.
type bounds struct{ start, end, since int64 }

// newPlace begins at what is young enough.
func newPlace(topicID string, partitions []bounds) *place {
	made := &place{topicID: topicID}
	for _, partition := range partitions {
		made.next = append(made.next, partition.since)
	}
	return made
}

// resume returns where to go on in the topic as it was found, and whether something was lost on the way.
func (p *place) resume(topicID string, partitions []bounds) (resumed *place, lost bool) {
	if topicID != p.topicID || len(partitions) < len(p.next) {
		return newPlace(topicID, partitions), true
	}
	resumed = newPlace(topicID, partitions)
	resumed.fresh = p.fresh
	for partition, found := range partitions {
		var next int64 // Whatever was added meanwhile is new from its first record on.
		if partition < len(p.next) {
			next = p.next[partition]
		}
		if next < found.start || next > found.end {
			return newPlace(topicID, partitions), true
		}
		resumed.next[partition] = next
	}
	return resumed, false
}
