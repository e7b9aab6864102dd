package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// Impersonations declares the list of an operator's impersonations.
var Impersonations = list.Spec{
	Name: "impersonations",
	Fields: map[string]list.Field{
		"userId":         {Column: "account_id", Type: list.ID},
		"organizationId": {Column: "organization_id", Type: list.ID},
		"createTime":     {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CreateImpersonation queues an impersonation. The transaction must act as its operator.
func CreateImpersonation(ctx context.Context, tx *pg.Tx, begun domain.Impersonation) error {
	return queue(tx).InsertImpersonation(ctx, db.InsertImpersonationParams{
		ID: begun.ID, OperatorID: begun.OperatorID, SessionID: begun.SessionID, AccountID: begun.UserID,
		OrganizationID: begun.OrganizationID, SupportGrantID: begun.GrantID, Writes: begun.Writes, Reason: begun.Reason,
		CreatedAt: begun.CreatedAt, ExpiresAt: begun.ExpiresAt,
	})
}

// CountImpersonations counts in how many names an operator acts. Two that begin at once may both find room for one.
func CountImpersonations(ctx context.Context, tx *pg.Tx, operatorID id.ID, now time.Time) (int64, error) {
	count, err := db.New(tx).CountImpersonations(ctx, operatorID, now)
	return count, explain("count impersonations", err)
}

// LockImpersonation returns one of an operator's, and keeps others from changing it.
func LockImpersonation(ctx context.Context, tx *pg.Tx, operatorID, impersonationID id.ID) (domain.Impersonation, error) {
	row, err := db.New(tx).LockImpersonation(ctx, impersonationID, operatorID)
	return impersonationOf(row), explain("lock impersonation", err)
}

// EndImpersonation queues the end of one that is locked.
func EndImpersonation(ctx context.Context, tx *pg.Tx, ended domain.Impersonation) error {
	return queue(tx).EndImpersonation(ctx, &ended.EndedAt, ended.ID)
}

// EndImpersonationsOfGrant ends those that go on by a grant and returns them. It is for the worker role.
func EndImpersonationsOfGrant(ctx context.Context, tx *pg.Tx, organizationID, grantID id.ID, now time.Time) ([]domain.Impersonation, error) {
	rows, err := db.New(tx).EndImpersonationsOfGrant(ctx, &now, organizationID, grantID)
	if err != nil {
		return nil, explain("end impersonations", err)
	}
	ended := make([]domain.Impersonation, 0, len(rows))
	for _, row := range rows {
		ended = append(ended, impersonationOf(row))
	}
	return ended, nil
}

// FindImpersonation returns whom an impersonation that goes on is of, and when it ends, as FindSession does for a session.
func FindImpersonation(ctx context.Context, querier pg.Querier, impersonationID id.ID, now time.Time) (domain.Session, error) {
	found := domain.Session{ID: impersonationID}
	err := querier.QueryRow(ctx, `select account_id, expires_at from find_impersonation($1, $2)`, impersonationID, now).
		Scan(&found.UserID, &found.ExpiresAt)
	return found, explain("load impersonation", err)
}

// ListImpersonations returns a page of an operator's impersonations and the token of the next.
func ListImpersonations(ctx context.Context, querier pg.Querier, operatorID id.ID, query *list.Query) (string, []domain.Impersonation, error) {
	sql, arguments := query.Build(`select id, operator_id, session_id, account_id, organization_id, support_grant_id, writes, reason,
created_at, expires_at, ended_at from impersonation where operator_id = $1`, operatorID)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, explain("list impersonations", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[db.Impersonation])
	if err != nil {
		return "", nil, explain("list impersonations", err)
	}
	listed := make([]domain.Impersonation, 0, len(stored))
	for _, row := range stored {
		listed = append(listed, impersonationOf(row))
	}
	next, page := list.Page(query, listed, func(one domain.Impersonation, order string) any {
		if order == "createTime" {
			return one.CreatedAt
		}
		return one.ID
	})
	return next, page, nil
}

func impersonationOf(row db.Impersonation) domain.Impersonation {
	stored := domain.Impersonation{
		ID: row.ID, OperatorID: row.OperatorID, SessionID: row.SessionID, UserID: row.AccountID, OrganizationID: row.OrganizationID,
		GrantID: row.SupportGrantID, Writes: row.Writes, Reason: row.Reason, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
	}
	if row.EndedAt != nil {
		stored.EndedAt = *row.EndedAt
	}
	return stored
}
