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

// CreateRegistration queues a registration and drops the oldest ones above the bound. The database notes in the same
// statement whether the address has an account: the caller never learns it. The transaction must use the address.
func CreateRegistration(ctx context.Context, tx *pg.Tx, registration domain.Registration) error {
	queries := queue(tx)
	err := queries.InsertRegistration(ctx, db.InsertRegistrationParams{
		ID: registration.ID, EmailKey: registration.Address.Key, Email: registration.Address.Typed,
		DisplayName: registration.DisplayName, PasswordHash: registration.PasswordHash,
		Nonce: registration.Nonce, CodeHash: registration.CodeHash, TokenHash: registration.TokenHash, ClientKey: registration.ClientKey,
		CreatedAt: registration.CreatedAt, ExpiresAt: registration.ExpiresAt,
	})
	return errors.Join(err, queries.TrimRegistrations(ctx, registration.Address.Key, domain.MaxPending))
}

// RepeatRegistration queues a registration like the newest that the same network asked for at the address, with a code of
// its own, or a hollow one when there is none. The transaction must use the address.
func RepeatRegistration(ctx context.Context, tx *pg.Tx, registration domain.Registration) error {
	queries := queue(tx)
	err := queries.RepeatRegistration(ctx, db.RepeatRegistrationParams{
		ID: registration.ID, EmailKey: registration.Address.Key, Email: registration.Address.Typed, Nonce: registration.Nonce,
		CodeHash: registration.CodeHash, TokenHash: registration.TokenHash, ClientKey: registration.ClientKey,
		CreatedAt: registration.CreatedAt, ExpiresAt: registration.ExpiresAt,
	})
	return errors.Join(err, queries.TrimRegistrations(ctx, registration.Address.Key, domain.MaxPending))
}

// ClaimRegistration returns the registration that a token proves, and has others with the token wait; ErrNotFound when
// there is none.
func ClaimRegistration(ctx context.Context, tx *pg.Tx, tokenHash []byte) (domain.Registration, error) {
	var found domain.Registration
	err := tx.QueryRow(ctx, `select id, email, email_key, display_name, password_hash, expires_at from claim_registration($1)`, tokenHash).
		Scan(&found.ID, &found.Address.Typed, &found.Address.Key, &found.DisplayName, &found.PasswordHash, &found.ExpiresAt)
	return found, explain("claim registration", err)
}

// LockPending returns the registrations of an address that a code may still prove, the newest first, and makes other
// tries for the address wait. The transaction must use the address.
func LockPending(ctx context.Context, tx *pg.Tx, address domain.Address, now time.Time) ([]domain.Registration, error) {
	rows, err := db.New(tx).LockRegistrations(ctx, address.Key, now, domain.MaxPending)
	if err != nil {
		return nil, explain("lock registrations", err)
	}
	pending := make([]domain.Registration, 0, len(rows))
	for _, row := range rows {
		pending = append(pending, domain.Registration{
			ID: row.ID, Address: domain.Address{Typed: row.Email, Key: address.Key}, DisplayName: row.DisplayName,
			PasswordHash: row.PasswordHash, CodeHash: row.CodeHash, ClientKey: row.ClientKey, AccountExists: row.AccountExists,
		})
	}
	return pending, nil
}

// DeletePending queues the end of everything pending for an address.
func DeletePending(ctx context.Context, tx *pg.Tx, address domain.Address) error {
	return queue(tx).DeleteRegistrations(ctx, address.Key)
}

// FindRegistration returns what the mail of a registration is made from: no password, no code.
func FindRegistration(ctx context.Context, querier pg.Querier, registrationID id.ID) (domain.Registration, error) {
	found := domain.Registration{ID: registrationID}
	err := querier.QueryRow(ctx, `select email, display_name, nonce, account_exists, hollow, expires_at from find_registration_mail($1)`,
		registrationID).Scan(&found.Address.Typed, &found.DisplayName, &found.Nonce, &found.AccountExists, &found.Hollow, &found.ExpiresAt)
	return found, explain("load registration", err)
}
