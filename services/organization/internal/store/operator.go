package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// FoundOrganizations is the list of the deployment's organizations.
var FoundOrganizations = list.Spec{
	Name: "found-organizations",
	Fields: map[string]list.Field{
		"id":          {Column: "organization.id", Type: list.ID},
		"displayName": {Column: "organization.display_name", Type: list.Text},
		"slug":        {Column: "organization.slug", Type: list.String},
		"state": {Column: "organization.state", Type: list.Enum, Values: map[string]any{
			"ACTIVE": string(domain.Active), "SUSPENDED": string(domain.Suspended),
			"PENDING_DELETION": string(domain.DeletionPending), "DELETING": string(domain.Deleting),
		}},
		"createTime": {Column: "organization.created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime":  {Column: "organization.created_at", Type: list.Time},
		"displayName": {Column: "organization.display_name", Type: list.String},
		"slug":        {Column: "organization.slug", Type: list.String, Unique: true},
	},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "organization.id", Type: list.ID},
}

// ActAsOperator lets what follows in the transaction see which organizations there are. It costs no round trip.
func ActAsOperator(tx *pg.Tx, operatorID id.ID) {
	tx.Queue(`select set_config('app.operator', $1, true)`, operatorID.String())
}

const findOrganization = `select organization.id, organization.display_name, organization.slug, organization.state,
    organization.suspension_reason, organization.created_at from organization where true`

// FindOrganizations returns a page of the deployment's organizations. The transaction must act as an operator.
func FindOrganizations(ctx context.Context, tx *pg.Tx, query *list.Query) (string, []domain.FoundOrganization, error) {
	sql, arguments := query.Build(findOrganization)
	next, found, err := page(ctx, tx, query, sql, arguments, func(rows pgx.Rows, row *domain.FoundOrganization) error {
		return rows.Scan(&row.ID, &row.DisplayName, &row.Slug, &row.State, &row.SuspensionReason, &row.CreatedAt)
	}, func(row domain.FoundOrganization, order string) any {
		switch order {
		case "createTime":
			return row.CreatedAt
		case "displayName":
			return row.DisplayName
		case "slug":
			return row.Slug
		default:
			return row.ID
		}
	})
	if err != nil {
		return "", nil, err
	}
	return next, found, countFound(ctx, tx, found)
}

// countFound counts what is in the organizations of a page, so that what it costs does not grow with the deployment.
func countFound(ctx context.Context, tx *pg.Tx, found []domain.FoundOrganization) error {
	at, organizationIDs := map[id.ID]int{}, make([]id.ID, 0, len(found))
	for i, organization := range found {
		at[organization.ID] = i
		organizationIDs = append(organizationIDs, organization.ID)
	}
	rows, err := tx.Query(ctx, `select wanted, members, teams from unnest($1::uuid[]) wanted, count_organization(wanted)`, organizationIDs)
	if err != nil {
		return fmt.Errorf("count organizations: %w", err)
	}
	var organizationID id.ID
	var members, teams int64
	_, err = pgx.ForEachRow(rows, []any{&organizationID, &members, &teams}, func() error {
		found[at[organizationID]].Members, found[at[organizationID]].Teams = members, teams
		return nil
	})
	if err != nil {
		return fmt.Errorf("count organizations: %w", err)
	}
	return nil
}

// FindOrganization returns one of them; ErrNotFound when there is none.
func FindOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID) (domain.FoundOrganization, error) {
	found := make([]domain.FoundOrganization, 1)
	row := &found[0]
	err := tx.QueryRow(ctx, findOrganization+` and organization.id = $1`, organizationID).
		Scan(&row.ID, &row.DisplayName, &row.Slug, &row.State, &row.SuspensionReason, &row.CreatedAt)
	if err != nil {
		return domain.FoundOrganization{}, one("find organization", err)
	}
	err = countFound(ctx, tx, found)
	return found[0], err
}
