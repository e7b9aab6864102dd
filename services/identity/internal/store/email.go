package store

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// CreateEmailChange queues the wish for another address in place of an earlier one. The database notes whether the
// address has an account. The transaction must act as the user.
func CreateEmailChange(ctx context.Context, tx *pg.Tx, change domain.EmailChange) error {
	queries := queue(tx)
	err := queries.EndEmailChange(ctx, change.UserID)
	return errors.Join(err, queries.InsertEmailChange(ctx, db.InsertEmailChangeParams{
		AccountID: change.UserID, ID: change.ID, EmailKey: change.Address.Key, Email: change.Address.Typed, Nonce: change.Nonce,
		TokenHash: change.TokenHash, CreatedAt: change.CreatedAt, ExpiresAt: change.ExpiresAt,
	}))
}

// ClaimEmailChange returns the change that a token makes, and has others with the token wait; ErrNotFound when none.
func ClaimEmailChange(ctx context.Context, tx *pg.Tx, tokenHash []byte) (domain.EmailChange, error) {
	var found domain.EmailChange
	err := tx.QueryRow(ctx, `select id, account_id, expires_at from claim_email_change($1)`, tokenHash).
		Scan(&found.ID, &found.UserID, &found.ExpiresAt)
	return found, explain("claim email change", err)
}

// MakeEmailChange gives the user the address and returns the new state. When the address has another user by then,
// IsAddressTaken says so. The transaction must act as the user.
func MakeEmailChange(ctx context.Context, tx *pg.Tx, change domain.EmailChange, now time.Time) (domain.User, error) {
	if _, err := tx.Exec(ctx, `select make_email_change($1, $2)`, change.ID, now); err != nil {
		return domain.User{}, explain("make email change", err)
	}
	if err := queue(tx).EndEmailChange(ctx, change.UserID); err != nil {
		return domain.User{}, err
	}
	return LockUser(ctx, tx, change.UserID)
}

// EmailChangeMail is what the mails of a change are made from.
type EmailChangeMail struct {
	Change   domain.EmailChange
	OldEmail string
	// Taken says that the address had an account when the change was asked for.
	Taken bool
	// Live says that it still waits to be made.
	Live bool
}

// FindEmailChangeMail returns what the mails of a change are made from.
func FindEmailChangeMail(ctx context.Context, querier pg.Querier, changeID id.ID) (EmailChangeMail, error) {
	found := EmailChangeMail{Change: domain.EmailChange{ID: changeID}}
	err := querier.QueryRow(ctx, `select new_email, old_email, nonce, taken, live, expires_at from find_email_change_mail($1)`, changeID).
		Scan(&found.Change.Address.Typed, &found.OldEmail, &found.Change.Nonce, &found.Taken, &found.Live, &found.Change.ExpiresAt)
	return found, explain("load email change", err)
}
