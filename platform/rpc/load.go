package rpc

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// saturatingCalls is how many calls under way for each core are more than it can work on: most of them wait for
	// others, not for a disk or a network.
	saturatingCalls = 4
	// saturationMemory bridges the moments in which many answers have just gone out together.
	saturationMemory = 50 * time.Millisecond
	// saturationSpell is how long that must last: calls also gather behind a moment's pause of the disk.
	saturationSpell = 100 * time.Millisecond
)

// load counts the calls under way, streams apart.
type load struct {
	underWay atomic.Int64
	// full is when there were last too many, since is when that began, both in Unix nanoseconds.
	full, since atomic.Int64
}

func (l *load) begin(now time.Time) {
	if l.underWay.Add(1) < int64(saturatingCalls*runtime.GOMAXPROCS(0)) {
		return
	}
	at, last := now.UnixNano(), l.full.Load()
	if at-last >= int64(saturationMemory) {
		l.since.Store(at)
	}
	// All calls of a busy process write here: now and then is often enough.
	if at-last >= int64(saturationMemory)/10 {
		l.full.Store(at)
	}
}

func (l *load) end() { l.underWay.Add(-1) }

func (l *load) saturated(now time.Time) bool {
	at := now.UnixNano()
	return at-l.full.Load() < int64(saturationMemory) && at-l.since.Load() >= int64(saturationSpell)
}
