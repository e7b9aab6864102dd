package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
)

// page runs a statement that query has completed and cuts what it finds to the page. value is as list.Page wants it.
func page[Row any](ctx context.Context, querier pg.Querier, query *list.Query, sql string, arguments []any, scan func(pgx.Rows, *Row) error, value func(Row, string) any) (string, []Row, error) {
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, fmt.Errorf("read page: %w", err)
	}
	defer rows.Close()
	var found []Row
	for rows.Next() {
		var row Row
		if err := scan(rows, &row); err != nil {
			return "", nil, fmt.Errorf("read page: %w", err)
		}
		found = append(found, row)
	}
	if err := rows.Err(); err != nil {
		return "", nil, fmt.Errorf("read page: %w", err)
	}
	next, kept := list.Page(query, found, value)
	return next, kept, nil
}
