package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// DataExports declares the list of a user's exports.
var DataExports = list.Spec{
	Name: "data-exports",
	Fields: map[string]list.Field{
		"state":      {Column: "upper(state)", Type: list.String},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CreateDataExport queues an export that runs. The transaction must act as the user.
func CreateDataExport(ctx context.Context, tx *pg.Tx, export domain.DataExport, nonce, tokenHash []byte) error {
	return queue(tx).InsertDataExport(ctx, db.InsertDataExportParams{
		ID: export.ID, AccountID: export.UserID, CreatedAt: export.CreatedAt, ExpiresAt: export.ExpiresAt, Nonce: nonce, TokenHash: tokenHash,
	})
}

// CountDataExports counts a user's exports since a time: those that run, those that are not for nothing, and when the
// first of the latter was asked for.
func CountDataExports(ctx context.Context, tx *pg.Tx, userID id.ID, since time.Time) (running, counted int64, oldest time.Time, err error) {
	row, err := db.New(tx).CountDataExports(ctx, since, userID)
	return row.Running, row.Counted, row.Oldest, explain("count data exports", err)
}

const selectDataExport = `select id, account_id, state, created_at, finished_at, expires_at, size_bytes, failure_reason
from data_export where account_id = $1 and state <> 'deleted' and (state = 'running' or expires_at > $2)`

// ListDataExports returns a page of a user's exports and the token of the next.
func ListDataExports(ctx context.Context, querier pg.Querier, userID id.ID, now time.Time, query *list.Query) (string, []domain.DataExport, error) {
	sql, arguments := query.Build(selectDataExport, userID, now)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, explain("list data exports", err)
	}
	exports, err := pgx.CollectRows(rows, pgx.RowToStructByPos[domain.DataExport])
	if err != nil {
		return "", nil, explain("list data exports", err)
	}
	next, page := list.Page(query, exports, func(export domain.DataExport, order string) any {
		if order == "createTime" {
			return export.CreatedAt
		}
		return export.ID
	})
	return next, page, nil
}

// GetDataExport returns a user's export; ErrNotFound when there is none.
func GetDataExport(ctx context.Context, querier pg.Querier, userID, exportID id.ID, now time.Time) (domain.DataExport, error) {
	rows, err := querier.Query(ctx, selectDataExport+` and id = $3`, userID, now, exportID)
	if err != nil {
		return domain.DataExport{}, explain("load data export", err)
	}
	export, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[domain.DataExport])
	return export, explain("load data export", err)
}

// DeleteDataExport ends a user's export, which is counted until a time; ErrNotFound when there is none.
func DeleteDataExport(ctx context.Context, tx *pg.Tx, userID, exportID id.ID, now time.Time) error {
	deleted, err := db.New(tx).DeleteDataExport(ctx, db.DeleteDataExportParams{
		Now: &now, ExpiresAt: now, ID: exportID, AccountID: userID,
	})
	if err == nil && deleted == 0 {
		return errs.ErrNotFound
	}
	return explain("delete data export", err)
}

// FindDataExport returns the export that a token leads to, and whose it is; ErrNotFound when there is none.
func FindDataExport(ctx context.Context, querier pg.Querier, tokenHash []byte) (exportID, userID id.ID, err error) {
	err = querier.QueryRow(ctx, `select id, account_id from find_data_export($1)`, tokenHash).Scan(&exportID, &userID)
	return exportID, userID, explain("find data export", err)
}

// DataExportMail is what the mail about an export is made from.
type DataExportMail struct {
	domain.DataExport
	Nonce []byte
}

// FindDataExportMail returns what the mail about an export is made from.
func FindDataExportMail(ctx context.Context, querier pg.Querier, exportID id.ID) (DataExportMail, error) {
	found := DataExportMail{DataExport: domain.DataExport{ID: exportID}}
	err := querier.QueryRow(ctx, `select account_id, state, nonce, expires_at, failure_reason from find_data_export_mail($1)`, exportID).
		Scan(&found.UserID, &found.State, &found.Nonce, &found.ExpiresAt, &found.FailureReason)
	return found, explain("load data export", err)
}

// Archive is where the pieces of an export's archive are.
type Archive struct {
	ExportID, UserID, BuildID id.ID
	SizeBytes                 int64
}

// ClaimArchive keeps others from an archive until a time; ErrNotFound when there is none, or somebody else has it. The
// transaction must act as its user.
func ClaimArchive(ctx context.Context, tx *pg.Tx, exportID, userID id.ID, now, until time.Time) (Archive, error) {
	row, err := db.New(tx).ClaimDataExport(ctx, &until, exportID, now)
	return Archive{ExportID: exportID, UserID: userID, BuildID: row.BuildID, SizeBytes: row.SizeBytes}, explain("claim data export", err)
}

// KeepArchive lengthens the claim; ErrNotFound when the archive has ended meanwhile.
func KeepArchive(ctx context.Context, tx *pg.Tx, archive Archive, now, until time.Time) error {
	kept, err := db.New(tx).KeepDataExport(ctx, &until, archive.ExportID, now)
	return onlyOne("keep data export", kept, err)
}

// ReleaseArchive queues the end of the claim.
func ReleaseArchive(ctx context.Context, tx *pg.Tx, archive Archive) error {
	return queue(tx).ReleaseDataExport(ctx, archive.ExportID)
}

// UseArchive ends an archive that was fetched; ErrNotFound when it has ended before.
func UseArchive(ctx context.Context, tx *pg.Tx, archive Archive) error {
	used, err := db.New(tx).UseDataExport(ctx, archive.ExportID)
	return onlyOne("use data export", used, err)
}

// ArchiveChunk returns a sealed piece, or nil behind the last.
func ArchiveChunk(ctx context.Context, querier pg.Querier, archive Archive, number int32) ([]byte, error) {
	sealed, err := db.New(querier).GetDataExportChunk(ctx, archive.ExportID, archive.BuildID, number)
	if errors.Is(err, pg.ErrNoRows) {
		return nil, nil
	}
	return sealed, explain("load piece of an archive", err)
}

// BeginArchive makes a try the one that counts, and drops what others have left; ErrNotFound when the export does not run.
// It needs a worker transaction, as what follows does.
func BeginArchive(ctx context.Context, tx *pg.Tx, exportID, buildID id.ID) (archive Archive, createdAt time.Time, err error) {
	queries := db.New(tx)
	row, err := queries.BeginDataExport(ctx, buildID, exportID)
	if err != nil {
		return Archive{}, time.Time{}, explain("begin data export", err)
	}
	return Archive{ExportID: exportID, UserID: row.AccountID, BuildID: buildID}, row.CreatedAt,
		explain("begin data export", queries.DeleteOtherDataExportChunks(ctx, exportID, buildID))
}

// PutArchiveChunk queues a sealed piece.
func PutArchiveChunk(ctx context.Context, tx *pg.Tx, archive Archive, number int32, sealed []byte) error {
	return queue(tx).InsertDataExportChunk(ctx, db.InsertDataExportChunkParams{
		ExportID: archive.ExportID, BuildID: archive.BuildID, Number: number, AccountID: archive.UserID, Sealed: sealed,
	})
}

// FinishArchive makes an archive one to be fetched; ErrNotFound when the try no longer counts.
func FinishArchive(ctx context.Context, tx *pg.Tx, archive Archive, now, expires time.Time) error {
	finished, err := db.New(tx).FinishDataExport(ctx, db.FinishDataExportParams{
		FinishedAt: &now, ExpiresAt: expires, SizeBytes: archive.SizeBytes, ID: archive.ExportID, BuildID: archive.BuildID,
	})
	return onlyOne("finish data export", finished, err)
}

// FailDataExport ends an export that runs, and returns whose it is; ErrNotFound when it does not run.
func FailDataExport(ctx context.Context, tx *pg.Tx, exportID id.ID, reason string, now, expires time.Time) (id.ID, error) {
	userID, err := db.New(tx).FailDataExport(ctx, db.FailDataExportParams{FinishedAt: &now, ExpiresAt: expires, FailureReason: reason, ID: exportID})
	return userID, explain("fail data export", err)
}

// OverdueDataExports lists exports that have run for too long, at most a number.
func OverdueDataExports(ctx context.Context, querier pg.Querier, now time.Time, most int32) ([]id.ID, error) {
	found, err := db.New(querier).FindOverdueDataExports(ctx, now, most)
	return found, explain("find overdue data exports", err)
}

func onlyOne(what string, changed int64, err error) error {
	if err == nil && changed == 0 {
		return errs.ErrNotFound
	}
	return explain(what, err)
}
