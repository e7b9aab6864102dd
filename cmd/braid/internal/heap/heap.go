// Package heap decides when the process collects garbage. By itself the runtime collects each time the heap has doubled.
// Little of Braid's heap lives long, so under load that is several times a second, for a tenth of the processor, and a
// setting that is right for load lets an idle process hold what it will never need again. So there are two sizes, below
// neither of which collecting is worth its while: a large one while the process works, a small one while it is quiet,
// and when it falls quiet what it needs no longer goes back to the system at once. A heap that is large by itself is
// collected when it has doubled, as ever: there is no limit that a large tenant could run into.
package heap

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// workingSize and quietSize are how large the heap gets, garbage included, before it is collected.
	workingSize = 160 << 20
	quietSize   = 40 << 20
	// A process is quiet when it has allocated no more than quietBytes in quietTime. An idle one does a third of that, and
	// one whose metrics are read all the time is still idle.
	quietBytes = 32 << 20
	quietTime  = 10 * time.Second
	// overhead is what the runtime holds beside the heap: stacks, its own tables.
	overhead = 16 << 20
	// interval is how often we look. It bounds how far the heap outgrows its size when much more of it is alive than at
	// the last collection.
	interval = 100 * time.Millisecond
)

// Chosen reports whether somebody has set when to collect by GOGC or GOMEMLIMIT, and Keep is not wanted.
func Chosen() bool { return os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" }

// Keep looks after the heap until ctx ends, and leaves it as the runtime would have it.
func Keep(ctx context.Context) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	asEver := bounds{percent: defaultPercent, limit: math.MaxInt64}
	defer asEver.set()
	read := newReader()
	k := &keeper{bounds: asEver, since: time.Now(), counted: read().allocated}
	for {
		select {
		case now := <-ticker.C:
			k.look(now, read()).obey()
		case <-ctx.Done():
			return nil
		}
	}
}

// state is what the runtime says of the heap.
type state struct {
	// live is what was alive at the last collection, roots what is scanned beside it. The runtime's percentage is one of
	// their sum.
	live, roots uint64
	// allocated is everything since the process began.
	allocated uint64
}

// newReader returns a function that reads the state; it may be used by one goroutine.
func newReader() func() state {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	return func() state {
		metrics.Read(samples)
		return state{
			live: samples[0].Value.Uint64(), roots: samples[1].Value.Uint64() + samples[2].Value.Uint64(),
			allocated: samples[3].Value.Uint64(),
		}
	}
}

// defaultPercent is the runtime's own: the heap may double.
const defaultPercent = 100

// keeper decides; it does nothing by itself.
type keeper struct {
	bounds
	quiet bool
	// since is when we began to count, and counted what had been allocated then.
	since   time.Time
	counted uint64
}

// bounds are what the runtime is told.
type bounds struct {
	// percent is how far the heap may grow beyond what is alive.
	percent int
	// limit is what the runtime may hold in all before it returns free pages at once instead of by and by, and collects
	// early: garbage is of all sizes, and what it leaves behind is not always of use for what comes next. It is a
	// little more than the heap grows to, and moves with what is alive.
	limit int64
}

// order is what is to be done.
type order struct {
	bounds   *bounds
	giveBack bool
}

func (k *keeper) look(now time.Time, heap state) order {
	var made order
	switch {
	case heap.allocated-k.counted > quietBytes:
		k.quiet, k.since, k.counted = false, now, heap.allocated
	case now.Sub(k.since) >= quietTime:
		made.giveBack = !k.quiet
		k.quiet, k.since, k.counted = true, now, heap.allocated
	}
	// To set them stops the world for a moment, and what is alive is never quite the same.
	wanted := k.wanted(heap)
	if differ(wanted.percent, k.percent) || differ(wanted.limit, k.limit) {
		k.bounds, made.bounds = wanted, &wanted
	}
	return made
}

func differ[Number int | int64](a, b Number) bool { return max(a-b, b-a) > b/10 }

// wanted lets the heap grow to its size, or double if that is more.
func (k *keeper) wanted(heap state) bounds {
	size := uint64(workingSize)
	if k.quiet {
		size = quietSize
	}
	percent := defaultPercent
	if base := heap.live + heap.roots; base > 0 && size > heap.live {
		percent = max(percent, int((size-heap.live)*100/base))
	}
	size = max(size, 2*heap.live)
	return bounds{percent: percent, limit: int64(size + size/4 + overhead)}
}

func (b bounds) set() {
	debug.SetGCPercent(b.percent)
	debug.SetMemoryLimit(b.limit)
}

func (o order) obey() {
	if o.bounds != nil {
		o.bounds.set()
	}
	if o.giveBack {
		debug.FreeOSMemory()
	}
}
