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

// InvitationLinks is the list of an organization's invitation links.
var InvitationLinks = list.Spec{
	Name: "invitation_links",
	Fields: map[string]list.Field{
		"state": {Column: "current_state", Type: list.Enum, Values: map[string]any{
			"ACTIVE": string(domain.LinkActive), "USED_UP": string(domain.LinkUsedUp),
			"REVOKED": string(domain.LinkRevoked), "EXPIRED": string(domain.LinkExpired),
		}},
		"roleId":     {Column: "role_id", Type: list.String},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CountInvitationLinks counts an organization's links.
func CountInvitationLinks(ctx context.Context, tx *pg.Tx, organizationID id.ID) (int64, error) {
	count, err := db.New(tx).CountInvitationLinks(ctx, organizationID)
	return count, wrap("count invitation links", err)
}

// InsertInvitationLink adds a link, with the transaction's next statement.
func InsertInvitationLink(ctx context.Context, tx *pg.Tx, link domain.InvitationLink, tokenHash []byte) error {
	if err := queue(tx).InsertInvitationLink(ctx, db.InsertInvitationLinkParams{
		OrganizationID: link.OrganizationID, ID: link.ID, RoleID: link.RoleID, CreatorID: link.CreatorID,
		EmailDomain: link.EmailDomain, MaxUses: link.MaxUses, CreatedAt: link.CreatedAt, ExpiresAt: link.ExpiresAt,
	}); err != nil {
		return err
	}
	return queue(tx).InsertInvitationLinkToken(ctx, tokenHash, link.OrganizationID, link.ID)
}

// FindInvitationLink returns where a link's token leads, by its hash. It needs no organization in scope.
func FindInvitationLink(ctx context.Context, querier pg.Querier, tokenHash []byte) (organizationID, linkID id.ID, err error) {
	row, err := db.New(querier).FindInvitationLinkByToken(ctx, tokenHash)
	return row.OrganizationID, row.LinkID, one("find invitation link", err)
}

// LockInvitationLink returns a link, locked until the transaction ends.
func LockInvitationLink(ctx context.Context, tx *pg.Tx, organizationID, linkID id.ID) (domain.InvitationLink, error) {
	row, err := db.New(tx).LockInvitationLink(ctx, organizationID, linkID)
	link := domain.InvitationLink{
		OrganizationID: row.OrganizationID, ID: row.ID, RoleID: row.RoleID, CreatorID: row.CreatorID, EmailDomain: row.EmailDomain,
		MaxUses: row.MaxUses, Uses: row.Uses, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt, RevokedAt: timeFrom(row.RevokedAt),
	}
	return link, one("lock invitation link", err)
}

// UpdateInvitationLink writes what may change of a link, with the transaction's next statement.
func UpdateInvitationLink(ctx context.Context, tx *pg.Tx, link domain.InvitationLink) error {
	return queue(tx).UpdateInvitationLink(ctx, link.OrganizationID, link.ID, link.Uses, timeOrNil(link.RevokedAt))
}

// What is filtered by is what is shown: domain.InvitationLink.State, in SQL.
const listInvitationLinks = `select id, role_id, creator_id, email_domain, max_uses, uses, created_at, expires_at, revoked_at
from (
    select *, case when revoked_at is not null then 'revoked' when uses >= max_uses then 'used_up'
        when expires_at <= $2 then 'expired' else 'active' end as current_state
    from invitation_link where organization_id = $1
) as invitation_link
where true`

// ListInvitationLinks returns a page of an organization's links.
func ListInvitationLinks(ctx context.Context, querier pg.Querier, organizationID id.ID, now time.Time, query *list.Query) (string, []domain.InvitationLink, error) {
	sql, arguments := query.Build(listInvitationLinks, organizationID, now)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.InvitationLink) error {
		row.OrganizationID = organizationID
		var revokedAt *time.Time
		err := rows.Scan(&row.ID, &row.RoleID, &row.CreatorID, &row.EmailDomain, &row.MaxUses, &row.Uses, &row.CreatedAt, &row.ExpiresAt, &revokedAt)
		row.RevokedAt = timeFrom(revokedAt)
		return err
	}, func(row domain.InvitationLink, order string) any {
		if order == "createTime" {
			return row.CreatedAt
		}
		return row.ID
	})
}
