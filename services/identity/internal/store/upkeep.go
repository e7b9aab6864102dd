package store

import (
	"context"
	"time"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// Purged counts what one round of Purge has removed.
type Purged struct {
	Registrations, Sessions, RefreshTokens, Answers   int64
	Challenges, UnconfirmedFactors                    int64
	PasswordResets, EmailChanges, Devices, Budgets    int64
	MachineCredentials, UsedAssertions, RevokedTokens int64
	ArchiveChunks, DataExports                        int64
}

// Purge removes what time has ended, at most a number of each kind. It needs a worker transaction.
func Purge(ctx context.Context, tx *pg.Tx, now time.Time, most int32) (purged Purged, err error) {
	queries := db.New(tx)
	usedBefore, expiredBefore := now.Add(-domain.RetryWindow), now.Add(-domain.ExpiredKept)
	if purged.Answers, err = queries.PurgeAnswers(ctx, &usedBefore, most); err != nil {
		return Purged{}, explain("wipe answers", err)
	}
	if purged.Registrations, err = queries.PurgeRegistrations(ctx, expiredBefore, most); err != nil {
		return Purged{}, explain("purge registrations", err)
	}
	if purged.RefreshTokens, err = queries.PurgeRefreshTokens(ctx, now, most); err != nil {
		return Purged{}, explain("purge refresh tokens", err)
	}
	if purged.Sessions, err = queries.PurgeSessions(ctx, now, most); err != nil {
		return Purged{}, explain("purge sessions", err)
	}
	if purged.Challenges, err = queries.PurgeChallenges(ctx, now, most); err != nil {
		return Purged{}, explain("purge challenges", err)
	}
	if purged.UnconfirmedFactors, err = queries.PurgeUnconfirmed(ctx, now.Add(-domain.ConfirmationTime), most); err != nil {
		return Purged{}, explain("purge unconfirmed factors", err)
	}
	if purged.PasswordResets, err = queries.PurgePasswordResets(ctx, expiredBefore, most); err != nil {
		return Purged{}, explain("purge password resets", err)
	}
	if purged.EmailChanges, err = queries.PurgeEmailChanges(ctx, expiredBefore, most); err != nil {
		return Purged{}, explain("purge email changes", err)
	}
	if purged.Devices, err = queries.PurgeDevices(ctx, now, most); err != nil {
		return Purged{}, explain("purge devices", err)
	}
	if purged.Budgets, err = queries.PurgeBudgets(ctx, now, most); err != nil {
		return Purged{}, explain("purge budgets", err)
	}
	if purged.MachineCredentials, err = queries.PurgeMachineCredentials(ctx, now.Add(-domain.MachineCredentialKept), most); err != nil {
		return Purged{}, explain("purge credentials", err)
	}
	if purged.UsedAssertions, err = queries.PurgeUsedAssertions(ctx, now, most); err != nil {
		return Purged{}, explain("purge used assertions", err)
	}
	if purged.RevokedTokens, err = queries.PurgeRevokedTokens(ctx, now, most); err != nil {
		return Purged{}, explain("purge revoked tokens", err)
	}
	if purged.ArchiveChunks, err = queries.PurgeDataExportChunks(ctx, now, most); err != nil {
		return Purged{}, explain("purge archives", err)
	}
	if purged.DataExports, err = queries.PurgeDataExports(ctx, now, most); err != nil {
		return Purged{}, explain("purge data exports", err)
	}
	return purged, nil
}
