package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Organizations is the list of a person's organizations.
var Organizations = list.Spec{
	Name: "organizations",
	Fields: map[string]list.Field{
		"displayName": {Column: "organization.display_name", Type: list.Text},
		"slug":        {Column: "organization.slug", Type: list.String},
		"createTime":  {Column: "organization.created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime":  {Column: "organization.created_at", Type: list.Time},
		"displayName": {Column: "organization.display_name", Type: list.String},
	},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "organization.id", Type: list.ID},
}

// InsertOrganization adds an organization; a slug that another one has is ErrSlugTaken, and the transaction goes on.
func InsertOrganization(ctx context.Context, tx *pg.Tx, organization domain.Organization) error {
	_, err := db.New(tx).InsertOrganization(ctx, organization.ID, organization.DisplayName, organization.Slug, organization.CreatedAt)
	return inserted("insert organization", err, domain.ErrSlugTaken.With("slug", organization.Slug))
}

// GetOrganization returns an organization that the querier's scope sees.
func GetOrganization(ctx context.Context, querier pg.Querier, organizationID id.ID) (domain.Organization, error) {
	row, err := db.New(querier).GetOrganization(ctx, organizationID)
	return organization(row), one("read organization", err)
}

// LockOrganization is GetOrganization with the row locked until the transaction ends.
func LockOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.Organization, error) {
	row, err := db.New(tx).GetOrganizationForUpdate(ctx, organizationID)
	return organization(row), one("lock organization", err)
}

func organization(row db.Organization) domain.Organization {
	return domain.Organization{
		ID: row.ID, DisplayName: row.DisplayName, Slug: row.Slug, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		Revision: row.Revision, State: domain.OrganizationState(row.State), SuspensionReason: row.SuspensionReason,
	}
}

// UpdateOrganization writes an organization's names. It waits for the answer, because another organization may have
// the slug: ErrSlugTaken.
func UpdateOrganization(ctx context.Context, tx *pg.Tx, organization domain.Organization) error {
	err := db.New(tx).UpdateOrganization(ctx, db.UpdateOrganizationParams{
		ID: organization.ID, DisplayName: organization.DisplayName, Slug: organization.Slug,
		UpdatedAt: organization.UpdatedAt, Revision: organization.Revision,
	})
	switch {
	case pg.ConstraintOf(err) == "organization_slug_key":
		return domain.ErrSlugTaken.With("slug", organization.Slug).WithCause(err)
	case err != nil:
		return fmt.Errorf("update organization: %w", err)
	}
	return nil
}

// ListOrganizations returns a page of the organizations a user is a member of.
func ListOrganizations(ctx context.Context, querier pg.Querier, userID id.ID, query *list.Query) (string, []domain.Organization, error) {
	sql, arguments := query.Build(`select organization.id, organization.display_name, organization.slug, organization.created_at,
    organization.updated_at, organization.revision, organization.state, organization.suspension_reason
from member join organization on organization.id = member.organization_id
where member.user_id = $1`, userID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Organization) error {
		return rows.Scan(&row.ID, &row.DisplayName, &row.Slug, &row.CreatedAt, &row.UpdatedAt, &row.Revision, &row.State, &row.SuspensionReason)
	}, func(row domain.Organization, order string) any {
		switch order {
		case "createTime":
			return row.CreatedAt
		case "displayName":
			return row.DisplayName
		default:
			return row.ID
		}
	})
}
