package domain

import (
	"net/netip"
	"time"
)

// What guessing costs: so many wrong answers within the window lock what was guessed at for the client that guessed, each
// time twice as long as the time before.
const (
	GuessWindow    = 10 * time.Minute
	GuessesAllowed = 5
	ShortestLock   = 15 * time.Minute
	LongestLock    = 24 * time.Hour
	// GuessesTold is how many wrong passwords are told from the right one under a lock, so that its owner hears of the lock;
	// after them none is looked at until it ends.
	GuessesTold = 5
)

const (
	// DeviceLifetime is how long a device stays known after the login that made it so.
	DeviceLifetime = 365 * 24 * time.Hour
	// MaxDevices is how many devices of a user are known; the oldest make room.
	MaxDevices = 50
)

// GuessVerdict is what one guess is answered with. The database gives it, because only there all guesses meet.
type GuessVerdict string

// The verdicts.
const (
	// GuessOpen lets a right guess pass.
	GuessOpen GuessVerdict = "open"
	// GuessLocked means that the guess is right and comes under a lock.
	GuessLocked GuessVerdict = "locked"
	// GuessClosed means that the guess is wrong.
	GuessClosed GuessVerdict = "closed"
	// GuessShut means that the guess was not looked at, right or wrong.
	GuessShut GuessVerdict = "shut"
)

// networkBits of an IPv6 address are what a household or a machine is given.
const networkBits = 64

// NetworkOf is what clients are told apart by when they show nothing else: the address, of IPv6 its network. All whose
// address is not known are one.
func NetworkOf(address netip.Addr) string {
	address = address.Unmap().WithZone("")
	if !address.Is6() {
		return address.String()
	}
	network, err := address.Prefix(networkBits)
	if err != nil {
		return address.String()
	}
	return network.String()
}
