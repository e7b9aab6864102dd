package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// answerLife is how long identity's word that a session is live is good, counted from the question: a session that ends
// afterwards is refused within the second that is promised.
const answerLife = time.Second

// SessionState is what identity says of a session.
type SessionState struct {
	Live bool
	// Weak says that its person has a second factor that the session has not shown.
	Weak bool
}

// checkSession refuses a session that has ended. When this process can't be sure to have heard of every end that the
// token could have, it asks identity; without an answer it refuses.
func (a *Authenticator) checkSession(ctx context.Context, sessionID id.ID, issued time.Time) error {
	a.mu.RLock()
	_, ended := a.ended[sessionID]
	// A token that was issued after a missed end is of a session that it was not the end of.
	trusted := a.distrusted.IsZero() || issued.After(a.distrusted.Add(ClockLeeway))
	a.mu.RUnlock()
	if ended {
		return errTokenInvalid
	}
	if trusted && a.Fresh() {
		return nil
	}
	return a.askSession(ctx, sessionID)
}

// askSession refuses a session that identity does not call live, or did not within the last second.
func (a *Authenticator) askSession(ctx context.Context, sessionID id.ID) error {
	if asked, ok := a.answers.GetIfPresent(sessionID); ok {
		// By a clock that was set back the answer would be good for longer.
		if age := a.Clock.Now().Sub(asked); age >= 0 && age < answerLife {
			return nil
		}
	}
	live, err := a.ask(ctx, sessionID, func(ctx context.Context) (bool, error) {
		asked := a.Clock.Now()
		state, err := a.SessionLive(ctx, sessionID)
		if err == nil && state.Weak {
			a.Secure(sessionID, id.ID{}, asked)
		}
		return state.Live, err
	})
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

// ask joins questions about the same session, or credential; the shared answer is at most one round trip old.
func (a *Authenticator) ask(ctx context.Context, about id.ID, question func(context.Context) (bool, error)) (bool, error) {
	answer := a.asking.DoChan(about.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		a.asked.Inc()
		asked := a.Clock.Now()
		live, err := question(ctx)
		if err == nil && live {
			a.answers.Set(about, asked)
		}
		return live, err
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
		if now.Sub(at) > AccessTokenLife+ClockLeeway {
			delete(a.ended, known)
		}
	}
}

// securing is when somebody got a second factor, and in which session, which has shown it.
type securing struct {
	at time.Time
	by id.ID
}

// Secure notes that a person got a second factor in a session, zero for an unknown one: called by the broadcast reader, and
// by identity right after the commit.
func (a *Authenticator) Secure(userID, bySession id.ID, at time.Time) {
	now := a.Clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.After(a.secured[userID].at) {
		a.secured[userID] = securing{at, bySession}
	}
	if len(a.secured)%1024 != 0 {
		return
	}
	for known, securing := range a.secured {
		if now.Sub(securing.at) > AccessTokenLife+ClockLeeway {
			delete(a.secured, known)
		}
	}
}

// strength is what a token's methods are worth: one of before its person's first second factor says that there is none.
func (a *Authenticator) strength(known *verified) call.Methods {
	actor := &known.actor
	if !actor.Methods.Has(call.Strong) || actor.Methods.Has(call.SeveralFactors) {
		return actor.Methods
	}
	// The clocks of who issued the token and of who told of the factor may differ.
	before := known.issued.Add(-ClockLeeway)
	a.mu.RLock()
	heard, asked := a.secured[actor.UserID], a.secured[actor.SessionID]
	a.mu.RUnlock()
	if !heard.at.Before(before) && !heard.at.IsZero() && heard.by != actor.SessionID || !asked.at.Before(before) && !asked.at.IsZero() {
		return actor.Methods &^ call.Strong
	}
	return actor.Methods
}

// Distrust has identity asked about every token that was issued by the given time, until the last of them has expired:
// called when the broadcast reader has lost an event of that time, which may have ended a session. A time that can't be
// one, or is still to come, counts as the present.
func (a *Authenticator) Distrust(lost time.Time) {
	now := a.Clock.Now()
	if lost.Unix() <= 0 || lost.After(now) {
		lost = now
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if lost.After(a.distrusted) {
		a.distrusted = lost
	}
	// What was lost may have been a rotation as well.
	a.keys.rotated(true)
}

// Certain returns nil, or why tokens are not taken at their word: it makes no request fail, but each costs a question.
func (a *Authenticator) Certain() error {
	left := a.distrustLeft()
	if left == 0 {
		return nil
	}
	return fmt.Errorf("the end of a session may have been missed: identity is asked about older tokens for another %s", left.Round(time.Second))
}

// distrustLeft is how long there are still tokens that are not trusted.
func (a *Authenticator) distrustLeft() time.Duration {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.distrusted.IsZero() {
		return 0
	}
	return max(0, a.distrusted.Add(AccessTokenLife+ClockLeeway).Sub(a.Clock.Now()))
}

// HandleEvent notes the sessions and credentials that events say have ended, and that keys were rotated.
func (a *Authenticator) HandleEvent(event bus.Event) error {
	switch event.Type {
	case "identity.session.revoked":
		return a.handleRevoked(event)
	case "identity.impersonation.ended":
		return a.handleImpersonationEnded(event)
	case "identity.factor.added":
		return a.handleSecured(event)
	case "identity.signing_key.rotated":
		return a.handleRotated(event)
	default:
		return a.hearCredential(event)
	}
}

func (a *Authenticator) handleRotated(event bus.Event) error {
	rotated := &identityv1.SigningKeyRotated{}
	if err := event.Unmarshal(rotated); err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	a.keys.rotated(len(rotated.GetDroppedKeyIds()) > 0)
	return nil
}

func (a *Authenticator) handleSecured(event bus.Event) error {
	added := &identityv1.FactorAdded{}
	if err := event.Unmarshal(added); err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	userID, err := id.Parse(added.GetUserId())
	if err != nil {
		return fmt.Errorf("read %s: user: %w", event.Type, err)
	}
	a.Secure(userID, event.Actor.SessionID, event.Time)
	return nil
}

func (a *Authenticator) handleRevoked(event bus.Event) error {
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
