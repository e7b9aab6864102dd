package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// ServiceAccounts declares the list of an organization's service accounts.
var ServiceAccounts = list.Spec{
	Name: "service-accounts",
	Fields: map[string]list.Field{
		"displayName": {Column: "display_name", Type: list.Text},
		"createTime":  {Column: "created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"displayName": {Column: "display_name", Type: list.String},
		"createTime":  {Column: "created_at", Type: list.Time},
	},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// CreateServiceAccount queues a service account.
func CreateServiceAccount(ctx context.Context, tx *pg.Tx, made domain.ServiceAccount) error {
	return queue(tx).InsertServiceAccount(ctx, db.InsertServiceAccountParams(made))
}

// CountServiceAccounts counts an organization's service accounts. Two that are made at once may both find room for one.
func CountServiceAccounts(ctx context.Context, tx *pg.Tx, organizationID id.ID) (int64, error) {
	count, err := db.New(tx).CountServiceAccounts(ctx, organizationID)
	return count, explain("count service accounts", err)
}

// GetServiceAccount returns a service account; ErrNotFound when there is none.
func GetServiceAccount(ctx context.Context, querier pg.Querier, organizationID, serviceAccountID id.ID) (domain.ServiceAccount, error) {
	row, err := db.New(querier).GetServiceAccount(ctx, organizationID, serviceAccountID)
	return domain.ServiceAccount(row), explain("load service account", err)
}

// LockServiceAccount is GetServiceAccount, and keeps others from changing it, or giving it keys, until the transaction ends.
func LockServiceAccount(ctx context.Context, tx *pg.Tx, organizationID, serviceAccountID id.ID) (domain.ServiceAccount, error) {
	row, err := db.New(tx).LockServiceAccount(ctx, organizationID, serviceAccountID)
	return domain.ServiceAccount(row), explain("lock service account", err)
}

// UpdateServiceAccount queues the new state.
func UpdateServiceAccount(ctx context.Context, tx *pg.Tx, changed domain.ServiceAccount) error {
	return queue(tx).UpdateServiceAccount(ctx, db.UpdateServiceAccountParams{
		OrganizationID: changed.OrganizationID, ID: changed.ID, DisplayName: changed.DisplayName, Description: changed.Description,
		Revision: changed.Revision, UpdatedAt: changed.UpdatedAt,
	})
}

// DeleteServiceAccount removes a service account that is locked and returns the keys that went with it.
func DeleteServiceAccount(ctx context.Context, tx *pg.Tx, organizationID, serviceAccountID id.ID) ([]id.ID, error) {
	queries := db.New(tx)
	keys, err := queries.DeleteKeys(ctx, organizationID, serviceAccountID)
	if err != nil {
		return nil, explain("delete keys", err)
	}
	_, err = queries.DeleteServiceAccount(ctx, organizationID, serviceAccountID)
	return keys, explain("delete service account", err)
}

// ListServiceAccounts returns a page of an organization's service accounts and the token of the next.
func ListServiceAccounts(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.ServiceAccount, error) {
	sql, arguments := query.Build(`select organization_id, id, display_name, description, creator_id, revision, created_at, updated_at
from service_account where organization_id = $1`, organizationID)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, explain("list service accounts", err)
	}
	accounts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[domain.ServiceAccount])
	if err != nil {
		return "", nil, explain("list service accounts", err)
	}
	next, page := list.Page(query, accounts, func(account domain.ServiceAccount, order string) any {
		switch order {
		case "displayName":
			return account.DisplayName
		case "createTime":
			return account.CreatedAt
		default:
			return account.ID
		}
	})
	return next, page, nil
}
