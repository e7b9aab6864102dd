package app

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Limits are how many wrong guesses are taken in one window from clients that are not known: of one network, and of all
// together.
type Limits struct {
	Network, Everyone int
}

// guesser is who guesses at a password or a code, as far as it can be told from others.
type guesser struct {
	guess store.Guess
	// deviceUserID is whose known device it is.
	deviceUserID id.ID
}

// What is guessed at. Each has budgets of its own.
const (
	guessLogin  = "login"
	guessCode   = "code"
	guessChange = "change"
)

// meet finds out who guesses at something of an address and refuses those whose network, or everyone together, has
// guessed wrong too often. It costs the same whoever it is, and no hash.
func (a *App) meet(ctx context.Context, what string, address domain.Address, deviceToken string) (guesser, error) {
	network, now := domain.NetworkOf(call.From(ctx).ClientAddress), a.Clock.Now()
	met := guesser{guess: store.Guess{
		Subject: token.BudgetKey(a.Keys, "guess", what, address.Key, network),
		Network: token.BudgetKey(a.Keys, "network", network), NetworkAllowed: a.Limits.Network,
		Everyone: token.BudgetKey(a.Keys, "everyone"), EveryoneAllowed: a.Limits.Everyone,
		Counted: true,
	}}
	deviceHash := token.HashDevice(deviceToken)
	pressure, err := store.FindPressure(ctx, a.DB.Point(pg.Scope{}), deviceHash, met.guess.Network, met.guess.Everyone, now)
	if err != nil {
		return guesser{}, err
	}
	met.deviceUserID = pressure.DeviceUserID
	if !met.deviceUserID.IsZero() {
		// Bound to the address as well: the device may be another user's.
		met.guess.Subject = token.BudgetKey(a.Keys, "guess", what, address.Key, "device", string(token.ClientKey(a.Keys, string(deviceHash))))
		met.guess.Counted = false
		return met, nil
	}
	switch {
	case pressure.NetworkSpent >= a.Limits.Network:
		return guesser{}, domain.ErrTooManyAttempts.WithRetryAfter(pressure.NetworkEnds.Sub(now))
	case pressure.EveryoneSpent >= a.Limits.Everyone:
		return guesser{}, domain.ErrTooManyAttempts.WithRetryAfter(pressure.EveryoneEnds.Sub(now))
	}
	return met, nil
}

// judge decides what a guess is answered with and counts it: nil lets a right one pass. The answer is kept apart from
// failures, because what was counted must be kept when the answer is a refusal.
func (a *App) judge(ctx context.Context, tx *pg.Tx, met guesser, right bool) (answer *errs.Error, err error) {
	guess, now := met.guess, a.Clock.Now()
	guess.Right = right
	judged, err := store.JudgeGuess(ctx, tx, guess, now)
	switch {
	case err != nil:
		return nil, err
	case judged.Exhausted && judged.Verdict != domain.GuessClosed:
		// Undone, so that it is as if the guess had come a moment later.
		return nil, domain.ErrTooManyAttempts.WithRetryAfter(time.Minute)
	case judged.Exhausted:
		return domain.ErrTooManyAttempts.WithRetryAfter(time.Minute), nil
	case judged.Verdict == domain.GuessLocked:
		return domain.ErrAccountLocked.WithRetryAfter(judged.Until.Sub(now)), nil
	case judged.Verdict == domain.GuessClosed:
		return domain.ErrCredentialsInvalid, nil
	}
	return nil, nil
}

// mayMail takes a mail to an address from the budgets and reports whether it may be sent.
func (a *App) mayMail(ctx context.Context, tx *pg.Tx, address domain.Address) (bool, error) {
	network := domain.NetworkOf(call.From(ctx).ClientAddress)
	return store.SpendMail(ctx, tx, token.BudgetKey(a.Keys, "mail", address.Key, network),
		token.BudgetKey(a.Keys, "mail", address.Key), a.Clock.Now())
}
