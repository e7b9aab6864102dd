package outbox

import (
	"sync"

	"github.com/braidhq/braid/platform/pg"
)

// relays finds the relay of a database in this process. Transactions know their database but not its relay, and must
// not: use cases are built before the relay runs, and work (by the slow poll) without one.
var relays sync.Map // *pg.DB → *Relay

// wake tells the database's relay that something was committed. It never blocks.
func wake(database *pg.DB) {
	if relay, ok := relays.Load(database); ok {
		relay.(*Relay).wake()
	}
}

// signal is a wake-up that coalesces: any number of sends before it is received are one.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) send() {
	select {
	case s <- struct{}{}:
	default:
	}
}
