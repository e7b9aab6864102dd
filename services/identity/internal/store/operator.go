package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// Operators declares the list of operators.
var Operators = list.Spec{
	Name: "operators",
	Fields: map[string]list.Field{
		"email":      {Column: "email", Type: list.Text},
		"role":       {Column: "role", Type: list.Enum, Values: map[string]any{"SUPPORT": "support", "SYSTEM": "system", "ADMIN": "admin"}},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"email":      {Column: "email", Type: list.String},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Default:  "createTime",
	Tiebreak: list.Order{Column: "account_id", Type: list.ID},
}

const operatorColumns = "account_id, email, role, secured, creator_id, created_at, updated_at, revision"

// ListOperators returns a page of the operators and the token of the next. The querier must act as one of their admins;
// to anybody else there are none.
func ListOperators(ctx context.Context, querier pg.Querier, query *list.Query) (string, []domain.Operator, error) {
	sql, arguments := query.Build(`select ` + operatorColumns + ` from list_operators() where true`)
	operators, err := queryOperators(ctx, querier, sql, arguments...)
	if err != nil {
		return "", nil, err
	}
	next, page := list.Page(query, operators, func(operator domain.Operator, order string) any {
		switch order {
		case "email":
			return operator.Email
		case "createTime":
			return operator.CreatedAt
		default:
			return operator.UserID
		}
	})
	return next, page, nil
}

// GetOperator returns an operator, as ListOperators shows them; ErrNotFound when there is none.
func GetOperator(ctx context.Context, querier pg.Querier, userID id.ID) (domain.Operator, error) {
	found, err := queryOperators(ctx, querier, `select `+operatorColumns+` from list_operators() where account_id = $1`, userID)
	if err == nil && len(found) == 0 {
		err = explain("load operator", pg.ErrNoRows)
	}
	if err != nil {
		return domain.Operator{}, err
	}
	return found[0], nil
}

// AllOperators returns every operator, the first appointed first. It needs the worker role.
func AllOperators(ctx context.Context, querier pg.Querier) ([]domain.Operator, error) {
	return queryOperators(ctx, querier, `select `+operatorColumns+` from all_operators() order by created_at, account_id`)
}

func queryOperators(ctx context.Context, querier pg.Querier, sql string, arguments ...any) ([]domain.Operator, error) {
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, explain("list operators", err)
	}
	operators, err := pgx.CollectRows(rows, pgx.RowToStructByPos[domain.Operator])
	return operators, explain("list operators", err)
}

// LockOperator returns an operator, without the address, and how many admins there are, and keeps both so until the
// transaction ends; ErrNotFound when there is no such operator.
func LockOperator(ctx context.Context, tx *pg.Tx, userID id.ID) (locked domain.Operator, admins int, err error) {
	rows, err := db.New(tx).LockOperators(ctx, userID)
	if err != nil {
		return domain.Operator{}, 0, explain("lock operators", err)
	}
	for _, row := range rows {
		if row.Role == string(domain.Admin) {
			admins++
		}
		if row.AccountID == userID {
			locked = domain.Operator{
				UserID: row.AccountID, Role: domain.OperatorRole(row.Role), CreatorID: row.CreatorID,
				CreatedAt: row.CreatedAt.UTC(), UpdatedAt: row.UpdatedAt.UTC(), Revision: row.Revision,
			}
		}
	}
	if locked.UserID.IsZero() {
		return domain.Operator{}, 0, explain("lock operators", errs.ErrNotFound)
	}
	return locked, admins, nil
}

// CreateOperator queues an operator. When the person is one by then, COMMIT or the next statement fails and
// IsOperatorTaken says so.
func CreateOperator(ctx context.Context, tx *pg.Tx, made domain.Operator) error {
	return queue(tx).InsertOperator(ctx, db.InsertOperatorParams{
		AccountID: made.UserID, Role: string(made.Role), CreatorID: made.CreatorID, CreatedAt: made.CreatedAt,
		UpdatedAt: made.UpdatedAt, Revision: made.Revision,
	})
}

// IsOperatorTaken reports whether err says that the person is an operator already.
func IsOperatorTaken(err error) bool { return pg.ConstraintOf(err) == "operator_pkey" }

// UpdateOperator queues the new role.
func UpdateOperator(ctx context.Context, tx *pg.Tx, changed domain.Operator) error {
	return queue(tx).UpdateOperator(ctx, db.UpdateOperatorParams{
		AccountID: changed.UserID, Role: string(changed.Role), UpdatedAt: changed.UpdatedAt, Revision: changed.Revision,
	})
}

// DeleteOperator queues the end of a role.
func DeleteOperator(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	return queue(tx).DeleteOperator(ctx, userID)
}
