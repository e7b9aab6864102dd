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

// ListFactors returns all factors of a user, the oldest first.
func ListFactors(ctx context.Context, querier pg.Querier, userID id.ID) (domain.Factors, error) {
	rows, err := db.New(querier).ListFactors(ctx, userID)
	factors := make(domain.Factors, 0, len(rows))
	for _, row := range rows {
		factors = append(factors, factorOf(row))
	}
	return factors, explain("list factors", err)
}

// LockFactors is ListFactors, and makes others wait who want to add or remove one.
func LockFactors(ctx context.Context, tx *pg.Tx, userID id.ID) (domain.Factors, error) {
	if err := queue(tx).LockAccountFactors(ctx, userID); err != nil {
		return nil, err
	}
	return ListFactors(ctx, tx, userID)
}

// LockFactor returns a factor of a user and keeps others from changing it; ErrNotFound when there is none.
func LockFactor(ctx context.Context, tx *pg.Tx, userID, factorID id.ID) (domain.Factor, error) {
	row, err := db.New(tx).LockFactor(ctx, factorID, userID)
	return factorOf(row), explain("load factor", err)
}

// CreateFactor queues a factor. When its credential is somebody's already, COMMIT or the next statement fails and
// IsPasskeyTaken says so.
func CreateFactor(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	transports := factor.Key.Transports
	if transports == nil {
		transports = []string{}
	}
	return queue(tx).InsertFactor(ctx, db.InsertFactorParams{
		ID: factor.ID, AccountID: factor.UserID, Kind: string(factor.Kind), Name: factor.Name, CreatedAt: factor.CreatedAt,
		ConfirmedAt: factor.ConfirmedAt, SealedSecret: factor.SealedSecret, LastStep: factor.LastStep,
		CredentialID: factor.Key.CredentialID, PublicKey: factor.Key.COSE, Transports: transports,
		Flags: int16(factor.Key.Flags), SignCount: int64(factor.Key.SignCount),
	})
}

// IsPasskeyTaken reports whether err says that the credential is registered already.
func IsPasskeyTaken(err error) bool { return pg.ConstraintOf(err) == "factor_credential_id_key" }

// DeleteUnconfirmed queues the end of a user's factors that wait for their first code.
func DeleteUnconfirmed(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).DeleteUnconfirmed(ctx, userID)
}

// ConfirmFactor queues that a factor counts, and the step whose code has shown it.
func ConfirmFactor(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return queue(tx).ConfirmFactor(ctx, db.ConfirmFactorParams{
		ID: factor.ID, AccountID: factor.UserID, ConfirmedAt: factor.ConfirmedAt, LastStep: factor.LastStep,
	})
}

// RenameFactor queues a factor's new name.
func RenameFactor(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return queue(tx).RenameFactor(ctx, factor.Name, factor.ID, factor.UserID)
}

// DeleteFactors removes all of a user's factors.
func DeleteFactors(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	_, err := db.New(tx).DeleteFactors(ctx, userID)
	return explain("delete factors", err)
}

// DeleteFactor queues the end of a factor.
func DeleteFactor(ctx context.Context, tx *pg.Tx, factor domain.Factor) error {
	return queue(tx).DeleteFactor(ctx, factor.ID, factor.UserID)
}

// UseStep marks a time step of a TOTP factor as used and reports whether it could be: a step that is not newer than the
// last one was used before, be it by another process at the same time.
func UseStep(ctx context.Context, tx *pg.Tx, factor domain.Factor, step int64, now time.Time) (bool, error) {
	used, err := db.New(tx).UseStep(ctx, db.UseStepParams{ID: factor.ID, AccountID: factor.UserID, Step: &step, UsedAt: &now})
	return used > 0, explain("use code", err)
}

// UsePasskey keeps what a passkey has signed with and reports whether it could be: a sign counter that is not higher
// than the last one is that of a copy.
func UsePasskey(ctx context.Context, tx *pg.Tx, factor domain.Factor, now time.Time) (bool, error) {
	used, err := db.New(tx).UsePasskey(ctx, db.UsePasskeyParams{
		ID: factor.ID, AccountID: factor.UserID, Flags: int16(factor.Key.Flags), SignCount: int64(factor.Key.SignCount), UsedAt: &now,
	})
	return used > 0, explain("use passkey", err)
}

// SuspectPasskey queues that a passkey may have been copied.
func SuspectPasskey(ctx context.Context, tx *pg.Tx, factor domain.Factor, now time.Time) error {
	return queue(tx).SuspectPasskey(ctx, &now, factor.ID, factor.UserID)
}

// FindPasskeyOwner returns whose passkey a credential is; ErrNotFound when it is nobody's.
func FindPasskeyOwner(ctx context.Context, querier pg.Querier, credentialID []byte) (owner id.ID, err error) {
	err = querier.QueryRow(ctx, `select account_id from find_passkey($1)`, credentialID).Scan(&owner)
	return owner, explain("find passkey", err)
}

// FindSecured returns those of the users that have a second factor.
func FindSecured(ctx context.Context, querier pg.Querier, userIDs []id.ID) ([]id.ID, error) {
	rows, err := querier.Query(ctx, `select account_id from find_secured($1)`, userIDs)
	if err != nil {
		return nil, explain("find secured users", err)
	}
	defer rows.Close()
	var secured []id.ID
	for rows.Next() {
		var userID id.ID
		if err := rows.Scan(&userID); err != nil {
			return nil, explain("find secured users", err)
		}
		secured = append(secured, userID)
	}
	return secured, explain("find secured users", rows.Err())
}

// ReplaceBackupCodes queues new codes, by their hashes, in place of those there were; none is fine.
func ReplaceBackupCodes(ctx context.Context, tx *pg.Tx, userID id.ID, hashes [][]byte) error {
	queries := queue(tx)
	return errors.Join(queries.DeleteBackupCodes(ctx, userID), queries.InsertBackupCodes(ctx, userID, hashes))
}

// UseBackupCode takes a code away and reports whether it was there; of two at once one gets it.
func UseBackupCode(ctx context.Context, tx *pg.Tx, userID id.ID, hash []byte) (bool, error) {
	used, err := db.New(tx).UseBackupCode(ctx, userID, hash)
	return used > 0, explain("use backup code", err)
}

// CountBackupCodes returns how many codes a user has left.
func CountBackupCodes(ctx context.Context, querier pg.Querier, userID id.ID) (int32, error) {
	count, err := db.New(querier).CountBackupCodes(ctx, userID)
	return int32(min(count, domain.BackupCodes)), explain("count backup codes", err)
}

// TakeTry counts a try against a user before it is looked at, and holds others back until the transaction ends. It
// returns how many there were in this window, this one included, and when the window began.
func TakeTry(ctx context.Context, tx *pg.Tx, userID id.ID, now time.Time) (int32, time.Time, error) {
	row, err := db.New(tx).TakeTry(ctx, userID, now, now.Add(-domain.ProofWindow))
	return row.Tries, row.Since, explain("count try", err)
}

// ResetTries queues that a user's tries are forgotten: one was right.
func ResetTries(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).ResetTries(ctx, userID)
}

// HasPassword reports whether a user can log in with a password.
func HasPassword(ctx context.Context, querier pg.Querier, userID id.ID) (bool, error) {
	has, err := db.New(querier).HasPassword(ctx, userID)
	return has, explain("look for a password", err)
}

func factorOf(row db.Factor) domain.Factor {
	return domain.Factor{
		ID: row.ID, UserID: row.AccountID, Kind: domain.FactorKind(row.Kind), Name: row.Name, CreatedAt: row.CreatedAt.UTC(),
		ConfirmedAt: row.ConfirmedAt, LastUsedAt: row.LastUsedAt, SealedSecret: row.SealedSecret, LastStep: row.LastStep,
		Key: domain.PasskeyKey{
			CredentialID: row.CredentialID, COSE: row.PublicKey, Transports: row.Transports,
			Flags: uint8(row.Flags), SignCount: uint32(row.SignCount), //nolint:gosec // They were written from these types.
		},
		CloneWarnedAt: row.CloneWarnedAt,
	}
}
