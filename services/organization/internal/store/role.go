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

// RoleList is the list of the roles, the least system role first, those of the organization's own behind, the oldest
// first.
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
	Tiebreak: list.Order{Column: "role.rank", Type: list.ID},
}

// systemRow is a system role as a row that no table holds. Its rank comes before that of any other role, which is its id.
type systemRow struct {
	ID          string   `json:"id"`
	Rank        id.ID    `json:"rank"`
	DisplayName string   `json:"display_name"`
	Description string   `json:"description"`
	Permissions []string `json:"permissions"`
}

// The system roles are this program's and in no table: the statement brings them along.
const listRoles = `select role.id, role.rank, role.display_name, role.description, role.permissions, role.denied, role.parents, role.version,
    role.created_at, role.updated_at
from (
    select id, rank, display_name, description, permissions, '{}'::text[] as denied, '[]'::jsonb as parents, 0 as version,
        null::timestamptz as created_at, null::timestamptz as updated_at, true as system
    from json_to_recordset($2) as brought (id text, rank uuid, display_name text, description text, permissions text[])
    union all
    select id::text, id, display_name, description, allowed, denied, parents, version, created_at, updated_at, false
    from role where organization_id = $1
) as role
where true`

// ListRoles returns a page of an organization's roles: the system roles, which are given the least first, and its own.
func ListRoles(ctx context.Context, querier pg.Querier, organizationID id.ID, system []domain.Role, query *list.Query) (string, []domain.Role, error) {
	rows := make([]systemRow, 0, len(system))
	for i, role := range system {
		rows = append(rows, systemRow{role.ID, id.ID{len(id.ID{}) - 1: byte(i + 1)}, role.DisplayName, role.Description, role.Allowed})
	}
	brought, err := json.Marshal(rows)
	if err != nil {
		return "", nil, fmt.Errorf("encode roles: %w", err)
	}
	type ranked struct {
		domain.Role
		rank id.ID
	}
	sql, arguments := query.Build(listRoles, organizationID, brought)
	next, found, err := page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *ranked) error {
		var createdAt, updatedAt *time.Time
		err := rows.Scan(&row.ID, &row.rank, &row.DisplayName, &row.Description, &row.Allowed, &row.Denied, &row.Parents, &row.Version,
			&createdAt, &updatedAt)
		row.CreatedAt, row.UpdatedAt = timeFrom(createdAt), timeFrom(updatedAt)
		return err
	}, func(row ranked, order string) any {
		switch order {
		case "id":
			return row.ID
		case "displayName":
			return row.DisplayName
		default:
			return row.rank
		}
	})
	listed := make([]domain.Role, 0, len(found))
	for _, row := range found {
		listed = append(listed, row.Role)
	}
	return next, listed, err
}

func role(row db.Role) (domain.Role, error) {
	found := domain.Role{
		ID: row.ID.String(), Version: row.Version, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		RoleContent: domain.RoleContent{
			DisplayName: row.DisplayName, Description: row.Description, Allowed: row.Allowed, Denied: row.Denied,
		},
	}
	if err := json.Unmarshal(row.Parents, &found.Parents); err != nil {
		return domain.Role{}, fmt.Errorf("read parents: %w", err)
	}
	return found, nil
}

// GetRole returns a role of the organization's own.
func GetRole(ctx context.Context, querier pg.Querier, organizationID, roleID id.ID) (domain.Role, error) {
	row, err := db.New(querier).GetRole(ctx, organizationID, roleID)
	if err != nil {
		return domain.Role{}, one("read role", err)
	}
	return role(row)
}

// InsertRole adds a role with its first version, with the transaction's next statement.
func InsertRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, added domain.Role, authorID id.ID) error {
	parents, err := encodeParents(added.Parents)
	if err != nil {
		return err
	}
	if err := queue(tx).InsertRole(ctx, db.InsertRoleParams{
		OrganizationID: organizationID, ID: id.ParseOrZero(added.ID), DisplayName: added.DisplayName, Description: added.Description,
		Allowed: added.Allowed, Denied: added.Denied, Parents: parents, Version: added.Version,
		CreatedAt: added.CreatedAt, UpdatedAt: added.UpdatedAt,
	}); err != nil {
		return err
	}
	return insertVersion(ctx, tx, organizationID, added, authorID)
}

// UpdateRole writes a role with its new version, with the transaction's next statement.
func UpdateRole(ctx context.Context, tx *pg.Tx, organizationID id.ID, changed domain.Role, authorID id.ID) error {
	parents, err := encodeParents(changed.Parents)
	if err != nil {
		return err
	}
	if err := queue(tx).UpdateRole(ctx, db.UpdateRoleParams{
		OrganizationID: organizationID, ID: id.ParseOrZero(changed.ID), DisplayName: changed.DisplayName, Description: changed.Description,
		Allowed: changed.Allowed, Denied: changed.Denied, Parents: parents, Version: changed.Version, UpdatedAt: changed.UpdatedAt,
	}); err != nil {
		return err
	}
	return insertVersion(ctx, tx, organizationID, changed, authorID)
}

func encodeParents(parents []domain.Parent) ([]byte, error) {
	if parents == nil {
		parents = []domain.Parent{}
	}
	encoded, err := json.Marshal(parents)
	if err != nil {
		return nil, fmt.Errorf("encode parents: %w", err)
	}
	return encoded, nil
}

func insertVersion(ctx context.Context, tx *pg.Tx, organizationID id.ID, current domain.Role, authorID id.ID) error {
	content, err := json.Marshal(current.RoleContent)
	if err != nil {
		return fmt.Errorf("encode role: %w", err)
	}
	return queue(tx).InsertRoleVersion(ctx, db.InsertRoleVersionParams{
		OrganizationID: organizationID, RoleID: id.ParseOrZero(current.ID), Version: current.Version, Content: content,
		AuthorID: authorID, CreatedAt: current.UpdatedAt,
	})
}

// DeleteRole removes a role with its versions, with the transaction's next statement.
func DeleteRole(ctx context.Context, tx *pg.Tx, organizationID, roleID id.ID) error {
	return queue(tx).DeleteRole(ctx, organizationID, roleID)
}

// RoleUse is where a role is in use, but for its children. The ids are ten at the most.
type RoleUse struct {
	Members                      int64
	AssignmentIDs, InvitationIDs []id.ID
	// InvitationLinkIDs are links that work, DomainIDs domains whose people may join with the role.
	InvitationLinkIDs, DomainIDs []id.ID
}

// ReadRoleUse looks for who has a role, or may join with it.
func ReadRoleUse(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID string, now time.Time) (RoleUse, error) {
	row, err := db.New(tx).GetRoleUse(ctx, organizationID, roleID, now)
	if err != nil {
		return RoleUse{}, fmt.Errorf("read use of role: %w", err)
	}
	return RoleUse{
		Members: row.Members, AssignmentIDs: row.AssignmentIds, InvitationIDs: row.InvitationIds,
		InvitationLinkIDs: row.InvitationLinkIds, DomainIDs: row.DomainIds,
	}, nil
}
