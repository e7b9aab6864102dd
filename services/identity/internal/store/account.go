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

// Credential is what a login is checked against. The zero value belongs to nobody.
type Credential struct {
	User         domain.User
	PasswordHash string
	// PasswordRevision grows with every other password.
	PasswordRevision int32
}

// NewCredential is that of a user who is made with CreateUser and no password yet.
func NewCredential(user domain.User) Credential { return Credential{User: user, PasswordRevision: 1} }

// CreateUser queues a user and the password. The transaction must act as the user. When the address has a user by then,
// COMMIT or the next statement fails and IsAddressTaken says so.
func CreateUser(ctx context.Context, tx *pg.Tx, user domain.User, address domain.Address, passwordHash string) error {
	queries := queue(tx)
	err := queries.InsertAccount(ctx, db.InsertAccountParams{
		ID: user.ID, Email: user.Email, DisplayName: user.DisplayName, Revision: user.Revision,
		CreatedAt: user.CreatedAt, UpdatedAt: user.UpdatedAt,
	})
	return errors.Join(err, queries.InsertCredential(ctx, db.InsertCredentialParams{
		EmailKey: address.Key, AccountID: user.ID, PasswordHash: passwordHash, UpdatedAt: user.CreatedAt,
	}))
}

// IsAddressTaken reports whether err says that another user has the address.
func IsAddressTaken(err error) bool { return pg.ConstraintOf(err) == "credential_pkey" }

// FindCredential returns the user of an address with the password's hash, or the zero value.
func FindCredential(ctx context.Context, querier pg.Querier, address domain.Address) (Credential, error) {
	var found Credential
	err := querier.QueryRow(ctx, `select account_id, password_hash, email, display_name, revision, created_at, updated_at,
    password_revision from find_credential($1)`, address.Key).Scan(&found.User.ID, &found.PasswordHash, &found.User.Email,
		&found.User.DisplayName, &found.User.Revision, &found.User.CreatedAt, &found.User.UpdatedAt, &found.PasswordRevision)
	if errors.Is(err, pg.ErrNoRows) {
		return Credential{}, nil
	}
	return found, explain("find credential", err)
}

// ReplacePasswordHash queues another hash of the same password. The transaction must act as the user.
func ReplacePasswordHash(ctx context.Context, tx *pg.Tx, userID id.ID, hash string, now time.Time) error {
	return queue(tx).UpdatePasswordHash(ctx, hash, now, userID)
}

// GetUser returns the user, who must be the one the querier is scoped to.
func GetUser(ctx context.Context, querier pg.Querier, userID id.ID) (domain.User, error) {
	row, err := db.New(querier).GetAccount(ctx, userID)
	return userOf(row.Account), explain("load user", err)
}

// LockUser is GetUser, and keeps others from changing the user until the transaction ends.
func LockUser(ctx context.Context, tx *pg.Tx, userID id.ID) (domain.User, error) {
	row, err := db.New(tx).LockAccount(ctx, userID)
	return userOf(row.Account), explain("lock user", err)
}

// UpdateUser queues the user's new state.
func UpdateUser(ctx context.Context, tx *pg.Tx, user domain.User) error {
	return queue(tx).UpdateAccount(ctx, db.UpdateAccountParams{
		ID: user.ID, DisplayName: user.DisplayName, Title: user.Title, Locale: user.Locale, TimeZone: user.TimeZone,
		AvatarID: user.AvatarID, Revision: user.Revision, UpdatedAt: user.UpdatedAt,
	})
}

func userOf(row db.Account) domain.User {
	return domain.User{
		ID: row.ID, Email: row.Email, DisplayName: row.DisplayName, Title: row.Title, Locale: row.Locale,
		TimeZone: row.TimeZone, AvatarID: row.AvatarID, Revision: row.Revision,
		CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), LeavesAt: row.LeavesAt,
	}
}
