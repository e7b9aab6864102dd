package authn

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
)

const (
	// useInterval is the least time between two notes of one credential's use by a process.
	useInterval = time.Minute
	// useSweep is how often what was noted goes to identity.
	useSweep = 10 * time.Second
	maxUses  = 10_000
	// UseBatch is how many uses go to identity at once.
	UseBatch = 500
)

// Use is when and from where a credential was last used.
type Use struct {
	CredentialID id.ID
	At           time.Time
	Address      netip.Addr
}

// uses collects when credentials are used, so that no request waits for the note: at most once a minute for each, and
// no more than maxUses at a time. What finds no room is not noted; nothing depends on it.
type uses struct {
	mu      sync.Mutex
	noted   map[id.ID]time.Time
	waiting map[id.ID]Use
}

// noteUse is called for every request with a credential. Only where the caller's address is known, which is in the chain
// of a service, and only from where the credential is good.
func (a *Authenticator) noteUse(ctx context.Context, actor call.Actor) {
	if address := call.From(ctx).ClientAddress; address.IsValid() && actor.Limits.Admits(address) {
		a.NoteUse(actor.CredentialID, address)
	}
}

// NoteUse is for a credential that was shown otherwise than with a request: by a client that has proven itself with a key.
func (a *Authenticator) NoteUse(credentialID id.ID, address netip.Addr) {
	now := a.Clock.Now()
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	if last, ok := a.uses.noted[credentialID]; ok && now.Sub(last) < useInterval && !now.Before(last) {
		return
	}
	if len(a.uses.noted) >= maxUses {
		a.uses.forget(now)
		if len(a.uses.noted) >= maxUses {
			return
		}
	}
	a.uses.noted[credentialID] = now
	a.uses.waiting[credentialID] = Use{credentialID, now, address}
}

// forget makes room by what may be noted again.
func (u *uses) forget(now time.Time) {
	for credentialID, last := range u.noted {
		if now.Sub(last) >= useInterval {
			delete(u.noted, credentialID)
		}
	}
}

// TakeUses returns what was noted since, a batch at most.
func (a *Authenticator) TakeUses() []Use {
	a.uses.mu.Lock()
	defer a.uses.mu.Unlock()
	batch := make([]Use, 0, min(len(a.uses.waiting), UseBatch))
	for credentialID, use := range a.uses.waiting {
		if len(batch) == UseBatch {
			break
		}
		batch = append(batch, use)
		delete(a.uses.waiting, credentialID)
	}
	return batch
}

// UsePart tells identity of uses while the process runs, and of the last ones at its end.
func (a *Authenticator) UsePart(record func(ctx context.Context, uses []Use) error) module.Part {
	tell := func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		for batch := a.TakeUses(); len(batch) > 0; batch = a.TakeUses() {
			if err := record(ctx, batch); err != nil {
				a.Logger.WarnContext(ctx, "last uses of credentials not recorded", slog.Int("count", len(batch)), slog.String("cause", err.Error()))
				return
			}
		}
	}
	return module.Part{Name: "credential-uses", Optional: true, Run: func(ctx context.Context) error {
		for clock.Sleep(ctx, useSweep) == nil {
			tell(ctx)
		}
		tell(context.WithoutCancel(ctx))
		return nil
	}}
}
