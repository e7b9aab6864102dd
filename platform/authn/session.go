package authn

import (
	"context"
	"errors"
	"fmt"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// checkSession refuses a session that has ended. When this process can't be sure to have heard of every end, it asks
// identity; without an answer it refuses.
func (a *Authenticator) checkSession(ctx context.Context, sessionID id.ID) error {
	a.mu.RLock()
	_, ended := a.ended[sessionID]
	a.mu.RUnlock()
	if ended {
		return errTokenInvalid
	}
	if a.Fresh() && a.trusted() {
		return nil
	}
	live, err := a.askSession(ctx, sessionID)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return errs.New(errs.Unavailable, "UNAVAILABLE", "Your session can't be checked at this moment.").WithCause(err)
	}
	if !live {
		a.EndSession(sessionID)
		return errTokenInvalid
	}
	return nil
}

// askSession joins questions about the same session; the shared answer is at most one round trip old.
func (a *Authenticator) askSession(ctx context.Context, sessionID id.ID) (bool, error) {
	answer := a.asking.DoChan(sessionID.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		a.asked.Inc()
		return a.SessionLive(ctx, sessionID)
	})
	select {
	case result := <-answer:
		if result.Err != nil {
			return false, result.Err
		}
		return result.Val.(bool), nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// EndSession refuses a session's tokens from now on: called by the broadcast reader, and by identity right after the
// commit that ended it. What is older than a token's life is forgotten, because no token of it is good any more.
func (a *Authenticator) EndSession(sessionID id.ID) {
	now := a.Clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended[sessionID] = now
	a.asking.Forget(sessionID.String())
	if len(a.ended)%1024 != 0 {
		return
	}
	for known, at := range a.ended {
		if now.Sub(at) > AccessTokenLife+clockLeeway {
			delete(a.ended, known)
		}
	}
}

// Distrust has every session asked for until every token of today has expired: called when the broadcast reader has
// lost events, one of which may have ended a session.
func (a *Authenticator) Distrust() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.distrustUntil = a.Clock.Now().Add(AccessTokenLife + clockLeeway)
}

func (a *Authenticator) trusted() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.distrustUntil.IsZero() || !a.Clock.Now().Before(a.distrustUntil)
}

// HandleEvent notes the sessions that events say have ended.
func (a *Authenticator) HandleEvent(event bus.Event) error {
	if event.Type != "identity.session.revoked" {
		return nil
	}
	revoked := &identityv1.SessionRevoked{}
	if err := event.Unmarshal(revoked); err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	sessionID, err := id.Parse(revoked.GetSessionId())
	if err != nil {
		return fmt.Errorf("read %s: session: %w", event.Type, err)
	}
	a.EndSession(sessionID)
	return nil
}
