package store

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// Guess is one answer to be judged: what it guesses at by whom, and the budgets of all guesses that it is counted in.
type Guess struct {
	// Subject is the password or code together with the client that guesses.
	Subject []byte
	Right   bool
	// Told is how many guesses are told from right ones under a lock.
	Told int
	// Network and Everyone are the keys of the two common budgets; a known device is in neither.
	Network, Everyone               []byte
	NetworkAllowed, EveryoneAllowed int
	Counted                         bool
}

// Judgement is what became of a guess.
type Judgement struct {
	Verdict domain.GuessVerdict
	// Until is when the lock ends, of a verdict that is GuessLocked or GuessShut.
	Until time.Time
	// Exhausted says that a common budget was used up before.
	Exhausted bool
}

// JudgeGuess judges a guess by those that were judged before it, in all processes, and counts it.
func JudgeGuess(ctx context.Context, tx *pg.Tx, guess Guess, now time.Time) (Judgement, error) {
	var judged Judgement
	var until *time.Time
	var inNetwork, inAll bool
	err := tx.QueryRow(ctx, `select j.verdict, j.until,
    case when not $9 then true when j.verdict in ('closed', 'shut') then spend_budget($10, $11, $5, $6)
         else coalesce((select b.spent < $11 from read_budget($10, $5) b), true) end,
    case when not $9 then true when j.verdict in ('closed', 'shut') then spend_budget($12, $13, $5, $6)
         else coalesce((select b.spent < $13 from read_budget($12, $5) b), true) end
from judge_guess($1, $2, $3, $4, $5, $6, $7, $8) j`,
		guess.Subject, guess.Right, domain.GuessesAllowed, guess.Told, now, domain.GuessWindow, domain.ShortestLock, domain.LongestLock,
		guess.Counted, guess.Network, guess.NetworkAllowed, guess.Everyone, guess.EveryoneAllowed,
	).Scan(&judged.Verdict, &until, &inNetwork, &inAll)
	if until != nil {
		judged.Until = *until
	}
	judged.Exhausted = !inNetwork || !inAll
	return judged, explain("judge guess", err)
}

// Pressure is what is known of a client before it is worth a hash.
type Pressure struct {
	// DeviceUserID is whose device the client's is; zero for one that is not known.
	DeviceUserID id.ID
	// The guesses of the network and of everyone in their present windows.
	NetworkSpent, EveryoneSpent int
	NetworkEnds, EveryoneEnds   time.Time
}

// FindPressure reads what is known of a client. It is the same statement for everybody.
func FindPressure(ctx context.Context, querier pg.Querier, deviceHash, network, everyone []byte, now time.Time) (Pressure, error) {
	var found Pressure
	err := querier.QueryRow(ctx, `select d.account_id, coalesce(n.spent, 0), coalesce(n.window_ends_at, $2),
    coalesce(e.spent, 0), coalesce(e.window_ends_at, $2)
from (select) as one left join find_device($1, $2) d on true left join read_budget($3, $2) n on true
    left join read_budget($4, $2) e on true`, deviceHash, now, network, everyone).
		Scan(&found.DeviceUserID, &found.NetworkSpent, &found.NetworkEnds, &found.EveryoneSpent, &found.EveryoneEnds)
	return found, explain("find pressure", err)
}

// FindCodePressure reads how many wrong codes an address was tried with by everybody, and when that is forgotten. After
// LockPending it is what all tries before have come to.
func FindCodePressure(ctx context.Context, tx *pg.Tx, ofAddress []byte, now time.Time) (spent int, ends time.Time, err error) {
	err = tx.QueryRow(ctx, `select coalesce(b.spent, 0), coalesce(b.window_ends_at, $2)
from (select) as one left join read_budget($1, $2) b on true`, ofAddress, now).Scan(&spent, &ends)
	return spent, ends, explain("find pressure of codes", err)
}

// SpendCode queues one wrong code in the budget of its address.
func SpendCode(tx *pg.Tx, ofAddress []byte, now time.Time) {
	tx.Queue(`select spend_budget($1, $2, $3, $4)`, ofAddress, domain.CodesToAddress, now, domain.CodeLifetime)
}

// SpendMail takes a mail from what the client may have sent to an address and from what anybody may, and reports whether
// both had one left.
func SpendMail(ctx context.Context, tx *pg.Tx, ofClient, toAddress []byte, now time.Time) (bool, error) {
	var allowed bool
	err := tx.QueryRow(ctx, `select case when spend_budget($1, $2, $5, $6) then spend_budget($3, $4, $5, $6) else false end`,
		ofClient, domain.MailsOfClient, toAddress, domain.MailsToAddress, now, domain.MailWindow).Scan(&allowed)
	return allowed, explain("spend mail", err)
}

// HoldPassword keeps the user's password from being changed until the transaction ends. ErrPasswordReplaced says that it
// was, since it was proven.
func HoldPassword(ctx context.Context, tx *pg.Tx, userID id.ID, passwordRevision int32) error {
	var same bool
	err := tx.QueryRow(ctx, `select hold_password($1, $2)`, userID, passwordRevision).Scan(&same)
	if err == nil && !same {
		return ErrPasswordReplaced
	}
	return explain("hold password", err)
}

// ErrPasswordReplaced says that the password is another one by now.
var ErrPasswordReplaced = errors.New("the password was replaced")
