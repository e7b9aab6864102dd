package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Permissions is the list of an organization's permissions, by name.
var Permissions = list.Spec{
	Name: "permissions",
	Fields: map[string]list.Field{
		"name":   {Column: "name", Type: list.String},
		"system": {Column: "system", Type: list.Bool},
	},
	Orders:   map[string]list.Order{"name": {Column: "name", Type: list.String, Unique: true}},
	Default:  "name",
	Tiebreak: list.Order{Column: "name", Type: list.String},
}

// The contract's permissions are in no table: the statement brings them along.
const listPermissions = `select name, description, system, created_at from (
    select name, description, false as system, created_at from permission where organization_id = $1
    union all
    select name, '', true, null from json_array_elements_text($2) as name
) as permission
where true`

// ListPermissions returns a page of an organization's own permissions and of those that are given, which all have.
func ListPermissions(ctx context.Context, querier pg.Querier, organizationID id.ID, system []string, query *list.Query) (string, []domain.Permission, error) {
	brought, err := json.Marshal(system)
	if err != nil {
		return "", nil, fmt.Errorf("encode permissions: %w", err)
	}
	sql, arguments := query.Build(listPermissions, organizationID, brought)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Permission) error {
		var createdAt *time.Time
		err := rows.Scan(&row.Name, &row.Description, &row.System, &createdAt)
		row.CreatedAt = timeFrom(createdAt)
		return err
	}, func(row domain.Permission, _ string) any { return row.Name })
}

// InsertPermission adds a permission; one of that name is ErrPermissionExists.
func InsertPermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, added domain.Permission) error {
	_, err := db.New(tx).InsertPermission(ctx, organizationID, added.Name, added.Description, added.CreatedAt)
	return inserted("insert permission", err, domain.ErrPermissionExists.With("name", added.Name))
}

// GetPermission returns a permission of the organization's own.
func GetPermission(ctx context.Context, querier pg.Querier, organizationID id.ID, name string) (domain.Permission, error) {
	row, err := db.New(querier).GetPermission(ctx, organizationID, name)
	return domain.Permission{Name: row.Name, Description: row.Description, CreatedAt: row.CreatedAt}, one("read permission", err)
}

// UpdatePermission writes what is said of a permission, with the transaction's next statement.
func UpdatePermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, changed domain.Permission) error {
	return queue(tx).UpdatePermission(ctx, organizationID, changed.Name, changed.Description)
}

// DeletePermission removes a permission, with the transaction's next statement.
func DeletePermission(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string) error {
	return queue(tx).DeletePermission(ctx, organizationID, name)
}
