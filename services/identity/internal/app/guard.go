package app

import (
	"context"
	"strconv"
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
	// client tells the guesser from others.
	client []string
	// deviceUserID is whose known device it is.
	deviceUserID id.ID
}

// meet finds out who guesses and refuses those whose network, or everyone together, has guessed wrong too often. It costs
// the same whoever it is, and no hash.
func (a *App) meet(ctx context.Context, deviceToken string) (guesser, error) {
	network, now := domain.NetworkOf(call.From(ctx).ClientAddress), a.Clock.Now()
	met := guesser{client: []string{network}, guess: store.Guess{
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
		met.client = []string{"device", string(token.ClientKey(a.Keys, string(deviceHash)))}
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

// atPassword is a guess at the password of an address. Login, step-up and change guess from one budget, and another password
// begins with new ones for everybody: who has reset it has shown whose it is.
func (a *App) atPassword(met guesser, address domain.Address, passwordRevision int32) store.Guess {
	met.guess.Told = domain.GuessesTold
	return a.at(met, "password", address.Key, strconv.Itoa(int(passwordRevision)))
}

// atCode is a guess at the codes of an address. A code that the client has asked for begins with a new budget. Nobody is
// told of a lock: a code proves less than a password.
func (a *App) atCode(met guesser, address domain.Address, newest id.ID) store.Guess {
	return a.at(met, "code", address.Key, newest.String())
}

// at binds a guess to the address as well as to the client: a known device may be another user's.
func (a *App) at(met guesser, what ...string) store.Guess {
	met.guess.Subject = token.BudgetKey(a.Keys, append(append([]string{"guess"}, what...), met.client...)...)
	return met.guess
}

// judge decides what a guess is answered with and counts it: no answer lets a right one pass. The answer is kept apart from
// failures, because what was counted must be kept when the answer is a refusal.
func (a *App) judge(ctx context.Context, tx *pg.Tx, guess store.Guess) (store.Judgement, *errs.Error, error) {
	now := a.Clock.Now()
	judged, err := store.JudgeGuess(ctx, tx, guess, now)
	passes := judged.Verdict == domain.GuessOpen || judged.Verdict == domain.GuessLocked
	switch {
	case err != nil:
		return store.Judgement{}, nil, err
	case judged.Exhausted && passes:
		// Undone, so that it is as if the guess had come a moment later.
		return store.Judgement{}, nil, domain.ErrTooManyAttempts.WithRetryAfter(time.Minute)
	case judged.Exhausted:
		return judged, domain.ErrTooManyAttempts.WithRetryAfter(time.Minute), nil
	case judged.Verdict == domain.GuessOpen:
		return judged, nil, nil
	case judged.Verdict == domain.GuessLocked:
		return judged, domain.ErrAccountLocked.WithRetryAfter(judged.Until.Sub(now)), nil
	case judged.Verdict == domain.GuessShut:
		return judged, domain.ErrPasswordsUnread.WithRetryAfter(judged.Until.Sub(now)), nil
	default:
		return judged, domain.ErrCredentialsInvalid, nil
	}
}

// mayMail takes a mail to an address from the budgets and reports whether it may be sent.
func (a *App) mayMail(ctx context.Context, tx *pg.Tx, address domain.Address) (bool, error) {
	network := domain.NetworkOf(call.From(ctx).ClientAddress)
	return store.SpendMail(ctx, tx, token.BudgetKey(a.Keys, "mail", address.Key, network),
		token.BudgetKey(a.Keys, "mail", address.Key), a.Clock.Now())
}
