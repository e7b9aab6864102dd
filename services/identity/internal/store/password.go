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

// CreatePasswordReset queues a reset. The database notes in the same statement whose the address is, if anybody's: the
// caller never learns it. The transaction must use the address.
func CreatePasswordReset(ctx context.Context, tx *pg.Tx, reset domain.PasswordReset) error {
	return queue(tx).InsertPasswordReset(ctx, db.InsertPasswordResetParams{
		ID: reset.ID, EmailKey: reset.Address.Key, Email: reset.Address.Typed, Nonce: reset.Nonce, TokenHash: reset.TokenHash,
		CreatedAt: reset.CreatedAt, ExpiresAt: reset.ExpiresAt,
	})
}

// FoundReset is whose password a token resets: enough to judge the new one.
type FoundReset struct {
	User      domain.User
	ExpiresAt time.Time
}

// FindPasswordReset returns whose password a token resets; ErrNotFound when none.
func FindPasswordReset(ctx context.Context, querier pg.Querier, tokenHash []byte) (FoundReset, error) {
	var found FoundReset
	err := querier.QueryRow(ctx, `select account_id, email, display_name, expires_at from find_password_reset($1)`, tokenHash).
		Scan(&found.User.ID, &found.User.Email, &found.User.DisplayName, &found.ExpiresAt)
	return found, explain("find password reset", err)
}

// UsePasswordReset uses a token up and reports whether it was there to be used. The transaction must act as the user.
func UsePasswordReset(ctx context.Context, tx *pg.Tx, userID id.ID, tokenHash []byte) (bool, error) {
	used, err := db.New(tx).DeletePasswordReset(ctx, tokenHash, userID)
	return used > 0, explain("use password reset", err)
}

// DeletePasswordResets queues the end of every reset of a user. The transaction must act as the user.
func DeletePasswordResets(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).DeletePasswordResets(ctx, userID)
}

// ChangePassword queues another password. The transaction must act as the user.
func ChangePassword(ctx context.Context, tx *pg.Tx, userID id.ID, hash string, now time.Time) error {
	return queue(tx).ChangePassword(ctx, hash, now, userID)
}

// ResetMail is what the mail of a reset is made from.
type ResetMail struct {
	Reset         domain.PasswordReset
	AccountExists bool
}

// FindResetMail returns what the mail of a reset is made from.
func FindResetMail(ctx context.Context, querier pg.Querier, resetID id.ID) (ResetMail, error) {
	found := ResetMail{Reset: domain.PasswordReset{ID: resetID}}
	err := querier.QueryRow(ctx, `select email, nonce, account_exists, expires_at from find_password_reset_mail($1)`, resetID).
		Scan(&found.Reset.Address.Typed, &found.Reset.Nonce, &found.AccountExists, &found.Reset.ExpiresAt)
	return found, explain("load password reset", err)
}

// CreateDevice queues a known device and drops the user's oldest ones above the bound. The transaction must act as the
// user.
func CreateDevice(ctx context.Context, tx *pg.Tx, userID id.ID, hash []byte, now time.Time) error {
	queries := queue(tx)
	err := queries.InsertDevice(ctx, db.InsertDeviceParams{
		Hash: hash, AccountID: userID, CreatedAt: now, ExpiresAt: now.Add(domain.DeviceLifetime),
	})
	return errors.Join(err, queries.TrimDevices(ctx, userID, domain.MaxDevices))
}

// DeleteDevices queues the end of what is known of a user's devices. The transaction must act as the user.
func DeleteDevices(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).DeleteDevices(ctx, userID)
}
