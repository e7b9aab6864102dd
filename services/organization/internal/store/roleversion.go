package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// RoleVersions is the list of a role's versions, the newest first.
var RoleVersions = list.Spec{
	Name:     "role versions",
	Orders:   map[string]list.Order{"version": {Column: "version", Type: list.Int, Unique: true}},
	Default:  "version desc",
	Tiebreak: list.Order{Column: "version", Type: list.Int},
}

// Each version with the content of the one before.
const listVersions = `select version, content, author_id, created_at, before from (
    select version, content, author_id, created_at, lag(content) over (order by version) as before
    from role_version where organization_id = $1 and role_id = $2
) as role_version
where true`

// ListRoleVersions returns a page of a role's versions, with what differs from the one before.
func ListRoleVersions(ctx context.Context, querier pg.Querier, organizationID, roleID id.ID, query *list.Query) (string, []domain.RoleVersion, error) {
	sql, arguments := query.Build(listVersions, organizationID, roleID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.RoleVersion) error {
		var before *domain.RoleContent
		row.RoleID = roleID
		if err := rows.Scan(&row.Version, &row.Content, &row.AuthorID, &row.CreatedAt, &before); err != nil {
			return err
		}
		if before == nil {
			before = &domain.RoleContent{}
		}
		row.Differences = domain.Differences(*before, row.Content)
		return nil
	}, func(row domain.RoleVersion, _ string) any { return int64(row.Version) })
}

// GetRoleVersion returns what a role was.
func GetRoleVersion(ctx context.Context, querier pg.Querier, organizationID, roleID id.ID, version int32) (domain.RoleContent, error) {
	row, err := db.New(querier).GetRoleVersion(ctx, organizationID, roleID, version)
	if err != nil {
		return domain.RoleContent{}, one("read version", err)
	}
	var content domain.RoleContent
	if err := json.Unmarshal(row.Content, &content); err != nil {
		return domain.RoleContent{}, fmt.Errorf("read version: %w", err)
	}
	return content, nil
}
