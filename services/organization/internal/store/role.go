package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// RoleList is the list of the roles, the least first.
var RoleList = list.Spec{
	Name: "roles",
	Fields: map[string]list.Field{
		"id":          {Column: "role.id", Type: list.String},
		"displayName": {Column: "role.display_name", Type: list.Text},
		"permissions": {Column: "role.permissions", Type: list.StringSet},
		"system":      {Column: "role.system", Type: list.Bool},
	},
	Orders: map[string]list.Order{
		"id":          {Column: "role.id", Type: list.String, Unique: true},
		"displayName": {Column: "role.display_name", Type: list.String},
	},
	Tiebreak: list.Order{Column: "role.rank", Type: list.Int},
}

// roleRow is a role as a row that no table holds.
type roleRow struct {
	ID          string   `json:"id"`
	Rank        int      `json:"rank"`
	DisplayName string   `json:"display_name"`
	Permissions []string `json:"permissions"`
	System      bool     `json:"system"`
}

// The roles are this program's and in no table: the statement brings them along, so that they are asked for like any list.
const listRoles = `select role.rank
from json_to_recordset($1) as role (id text, rank integer, display_name text, permissions text[], system boolean)
where true`

// ListRoles returns a page of roles, which are given the least first.
func ListRoles(ctx context.Context, querier pg.Querier, roles []domain.Role, query *list.Query) (string, []domain.Role, error) {
	rows := make([]roleRow, 0, len(roles))
	for rank, role := range roles {
		rows = append(rows, roleRow{role.ID, rank, role.DisplayName, role.Permissions, true})
	}
	brought, err := json.Marshal(rows)
	if err != nil {
		return "", nil, fmt.Errorf("encode roles: %w", err)
	}
	sql, arguments := query.Build(listRoles, brought)
	next, ranks, err := page(ctx, querier, query, sql, arguments, func(found pgx.Rows, rank *int) error {
		return found.Scan(rank)
	}, func(rank int, order string) any {
		switch order {
		case "id":
			return rows[rank].ID
		case "displayName":
			return rows[rank].DisplayName
		default:
			return rank
		}
	})
	listed := make([]domain.Role, 0, len(ranks))
	for _, rank := range ranks {
		listed = append(listed, roles[rank])
	}
	return next, listed, err
}
