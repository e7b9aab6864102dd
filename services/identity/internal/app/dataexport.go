package app

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

const (
	// claimLifetime is when a download that has gone silent counts as gone; claimRenewal is how often one says that it is
	// there. Between two pieces it can't be silent for longer than the connection's own limit.
	claimLifetime = 90 * time.Second
	claimRenewal  = 20 * time.Second
	// releaseTimeout bounds what is done after a client went away.
	releaseTimeout = 5 * time.Second
)

// CreateDataExport begins to collect what there is of the caller. Their requests wait for each other, so that two at once
// don't find room for one.
func (a *App) CreateDataExport(ctx context.Context, tx *pg.Tx) (domain.DataExport, error) {
	now := a.Clock.Now()
	user, err := store.LockUser(ctx, tx, call.From(ctx).Actor.UserID)
	if err != nil {
		return domain.DataExport{}, err
	}
	running, counted, oldest, err := store.CountDataExports(ctx, tx, user.ID, now.Add(-domain.DataExportPeriod))
	switch {
	case err != nil:
		return domain.DataExport{}, err
	case running > 0:
		return domain.DataExport{}, domain.ErrDataExportRunning
	case counted >= domain.MaxDataExports:
		return domain.DataExport{}, domain.ErrDataExportLimit.WithRetryAfter(oldest.Add(domain.DataExportPeriod).Sub(now))
	}
	export := domain.DataExport{
		ID: id.New(), UserID: user.ID, State: domain.DataExportRunning, CreatedAt: now, ExpiresAt: now.Add(domain.DataExportPatience),
	}
	nonce := token.NewNonce()
	hash := token.HashMailed(token.ForDataExport, token.Mailed(a.Keys, token.ForDataExport, export.ID, nonce))
	if err := store.CreateDataExport(ctx, tx, export, nonce, hash); err != nil {
		return domain.DataExport{}, err
	}
	if err := a.dataExportRequested(ctx, tx, export.UserID, export.ID); err != nil {
		return domain.DataExport{}, err
	}
	return export, a.Exports.Jobs.Enqueue(ctx, tx, CollectData{export.ID}, collectOptions...)
}

// ListDataExports returns a page of the caller's exports and the token of the next.
func (a *App) ListDataExports(ctx context.Context, request list.Request) (string, []domain.DataExport, error) {
	userID := call.From(ctx).Actor.UserID
	request.Binding = []string{userID.String()}
	query, err := store.DataExports.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListDataExports(ctx, a.DB.Read(pg.ScopeOf(ctx)), userID, a.Clock.Now(), query)
}

// GetDataExport returns one of the caller's exports.
func (a *App) GetDataExport(ctx context.Context, exportID id.ID) (domain.DataExport, error) {
	return store.GetDataExport(ctx, a.DB.Read(pg.ScopeOf(ctx)), call.From(ctx).Actor.UserID, exportID, a.Clock.Now())
}

// DeleteDataExport ends one of the caller's exports; what collects for it will find that out.
func (a *App) DeleteDataExport(ctx context.Context, tx *pg.Tx, exportID id.ID) error {
	userID := call.From(ctx).Actor.UserID
	if err := store.DeleteDataExport(ctx, tx, userID, exportID, a.Clock.Now()); err != nil {
		return err
	}
	return a.dataExportDeleted(ctx, tx, userID, exportID)
}

// DataExportMail is what the mail about an export says.
type DataExportMail struct {
	User domain.User
	// Token is empty when the archive can't be fetched.
	Token         string
	ExpiresAt     time.Time
	FailureReason string
}

// DataExportMail derives what the mail about an export says at this moment.
func (a *App) DataExportMail(ctx context.Context, exportID id.ID) (DataExportMail, error) {
	found, err := store.FindDataExportMail(ctx, a.DB.Point(pg.Scope{}), exportID)
	if err != nil {
		return DataExportMail{}, err
	}
	user, err := a.User(ctx, found.UserID)
	if err != nil {
		return DataExportMail{}, err
	}
	mail := DataExportMail{User: user, ExpiresAt: found.ExpiresAt, FailureReason: found.FailureReason}
	if found.State == domain.DataExportReady && a.Clock.Now().Before(found.ExpiresAt) {
		mail.Token = token.Mailed(a.Keys, token.ForDataExport, exportID, found.Nonce)
	}
	return mail, nil
}

// DownloadDataExport sends the archive that a token leads to, piece by piece, and ends it when the last one was sent. A
// download that breaks off before is undone, so that its person can begin again; until then there is no other.
func (a *App) DownloadDataExport(ctx context.Context, mailed string, send func(piece []byte) error) error {
	exportID, userID, err := store.FindDataExport(ctx, a.DB.Read(pg.Scope{}), token.HashMailed(token.ForDataExport, mailed))
	if err != nil {
		return err
	}
	scope := pg.Scope{UserID: userID}
	now := a.Clock.Now()
	var archive store.Archive
	err = a.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) (err error) {
		archive, err = store.ClaimArchive(ctx, tx, exportID, userID, now, now.Add(claimLifetime))
		return err
	})
	if err != nil {
		return err
	}
	if err := a.sendArchive(ctx, scope, archive, send); err != nil {
		return errors.Join(err, a.releaseArchive(ctx, scope, archive))
	}
	ctx = context.WithoutCancel(ctx)
	return a.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.UseArchive(ctx, tx, archive); err != nil {
			return err
		}
		return a.dataExportDownloaded(actingAs(ctx, userID, id.ID{}), tx, userID, exportID)
	})
}

func (a *App) sendArchive(ctx context.Context, scope pg.Scope, archive store.Archive, send func(piece []byte) error) error {
	renewed, left := a.Clock.Now(), archive.SizeBytes
	for number := int32(0); ; number++ {
		sealed, err := store.ArchiveChunk(ctx, a.DB.Read(scope), archive, number)
		if err != nil {
			return err
		}
		if sealed == nil {
			break
		}
		piece, err := a.Keys.Unseal(sealed, placeOf(archive, number))
		if err != nil {
			return err
		}
		left -= int64(len(piece))
		if err := send(piece); err != nil {
			return err
		}
		if now := a.Clock.Now(); now.Sub(renewed) >= claimRenewal {
			renewed = now
			if err := a.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) error {
				return store.KeepArchive(ctx, tx, archive, now, now.Add(claimLifetime))
			}); err != nil {
				return err
			}
		}
	}
	if left != 0 {
		return errs.From(errors.New("an archive is not as long as it was"))
	}
	return nil
}

// releaseArchive lets the person begin again. Were it to fail, the claim would end by itself.
func (a *App) releaseArchive(ctx context.Context, scope pg.Scope, archive store.Archive) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	return a.DB.InTx(ctx, scope, func(ctx context.Context, tx *pg.Tx) error { return store.ReleaseArchive(ctx, tx, archive) })
}
