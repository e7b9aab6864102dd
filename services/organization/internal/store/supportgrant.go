package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// SupportGrants is the list of an organization's support grants.
var SupportGrants = list.Spec{
	Name: "support_grants",
	Fields: map[string]list.Field{
		"state": {Column: "current_state", Type: list.Enum, Values: map[string]any{
			"ACTIVE": string(domain.SupportActive), "REVOKED": string(domain.SupportRevoked), "EXPIRED": string(domain.SupportExpired),
		}},
		"kind": {Column: "kind", Type: list.Enum, Values: map[string]any{
			"GRANT": string(domain.OwnersGrant), "BREAK_GLASS": string(domain.BrokenGlass),
		}},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CountLiveSupportGrants counts the grants that are live at a time: those for one operator, or, when that is zero, those
// for all.
func CountLiveSupportGrants(ctx context.Context, tx *pg.Tx, organizationID, operatorID id.ID, now time.Time) (int64, error) {
	count, err := db.New(tx).CountLiveSupportGrants(ctx, organizationID, now, operatorID)
	return count, wrap("count support grants", err)
}

// InsertSupportGrant adds a grant, with the transaction's next statement.
func InsertSupportGrant(ctx context.Context, tx *pg.Tx, made domain.SupportGrant) error {
	return queue(tx).InsertSupportGrant(ctx, db.InsertSupportGrantParams{
		OrganizationID: made.OrganizationID, ID: made.ID, Kind: string(made.Kind), Access: string(made.Access), Reason: made.Reason,
		CreatorID: made.CreatorID, OperatorID: made.OperatorID, CreatedAt: made.CreatedAt, ExpiresAt: made.ExpiresAt, Revision: made.Revision,
	})
}

// GetSupportGrant returns a grant.
func GetSupportGrant(ctx context.Context, querier pg.Querier, organizationID, grantID id.ID) (domain.SupportGrant, error) {
	row, err := db.New(querier).GetSupportGrant(ctx, organizationID, grantID)
	return supportGrant(row), one("read support grant", err)
}

// LockSupportGrant returns a grant, locked until the transaction ends.
func LockSupportGrant(ctx context.Context, tx *pg.Tx, organizationID, grantID id.ID) (domain.SupportGrant, error) {
	row, err := db.New(tx).LockSupportGrant(ctx, organizationID, grantID)
	return supportGrant(row), one("lock support grant", err)
}

// UpdateSupportGrant writes what people may change of a grant, with the transaction's next statement.
func UpdateSupportGrant(ctx context.Context, tx *pg.Tx, changed domain.SupportGrant) error {
	return queue(tx).UpdateSupportGrant(ctx, db.UpdateSupportGrantParams{
		OrganizationID: changed.OrganizationID, ID: changed.ID, Access: string(changed.Access), Reason: changed.Reason,
		ExpiresAt: changed.ExpiresAt, RevokedAt: timeOrNil(changed.RevokedAt), RevokerID: changed.RevokerID, Revision: changed.Revision,
	})
}

// UseSupportGrant writes who used a grant last, with the transaction's next statement. It is for the worker role.
func UseSupportGrant(ctx context.Context, tx *pg.Tx, used domain.SupportGrant) error {
	return queue(tx).UseSupportGrant(ctx, &used.LastUsedAt, used.LastOperatorID, used.OrganizationID, used.ID)
}

// FindSupportAccess returns the live grant by which an operator is let into an organization, and what else decides there;
// ErrNotFound without one.
func FindSupportAccess(ctx context.Context, querier pg.Querier, organizationID, operatorID id.ID, now time.Time) (domain.SupportGrant, Catalog, error) {
	row, err := db.New(querier).FindSupportAccess(ctx, organizationID, now, operatorID)
	if err != nil {
		return domain.SupportGrant{}, Catalog{}, one("find support grant", err)
	}
	catalog := Catalog{State: domain.OrganizationState(row.State), AccessRevision: row.AccessRevision}
	catalog.Policy, err = policyFrom(row.Policy)
	return supportGrant(row.SupportGrant), catalog, err
}

// What is filtered by is what is shown: domain.SupportGrant.State, in SQL.
const listSupportGrants = `select id, kind, access, reason, creator_id, operator_id, created_at, expires_at, revoked_at, revoker_id,
last_used_at, last_operator_id, revision
from (
    select *, case when revoked_at is not null then 'revoked' when expires_at <= $2 then 'expired' else 'active' end as current_state
    from support_grant where organization_id = $1
) as support_grant
where true`

// ListSupportGrants returns a page of an organization's grants.
func ListSupportGrants(ctx context.Context, querier pg.Querier, organizationID id.ID, now time.Time, query *list.Query) (string, []domain.SupportGrant, error) {
	sql, arguments := query.Build(listSupportGrants, organizationID, now)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, into *domain.SupportGrant) error {
		row := db.SupportGrant{OrganizationID: organizationID}
		err := rows.Scan(&row.ID, &row.Kind, &row.Access, &row.Reason, &row.CreatorID, &row.OperatorID, &row.CreatedAt, &row.ExpiresAt,
			&row.RevokedAt, &row.RevokerID, &row.LastUsedAt, &row.LastOperatorID, &row.Revision)
		*into = supportGrant(row)
		return err
	}, func(row domain.SupportGrant, order string) any {
		if order == "createTime" {
			return row.CreatedAt
		}
		return row.ID
	})
}

func supportGrant(row db.SupportGrant) domain.SupportGrant {
	return domain.SupportGrant{
		OrganizationID: row.OrganizationID, ID: row.ID, Kind: domain.SupportKind(row.Kind), Access: domain.SupportAccess(row.Access),
		Reason: row.Reason, CreatorID: row.CreatorID, OperatorID: row.OperatorID, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
		RevokedAt: timeFrom(row.RevokedAt), RevokerID: row.RevokerID, LastUsedAt: timeFrom(row.LastUsedAt),
		LastOperatorID: row.LastOperatorID, Revision: row.Revision,
	}
}
