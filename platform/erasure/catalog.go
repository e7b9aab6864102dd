package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/pg"
)

// table is one that holds rows of organizations.
type table struct {
	name string
	// indexed says that an organization's rows are found by an index; the others' are looked for in the whole table.
	indexed bool
	// blocks is how long the table is.
	blocks int64
	// parents are the tables that its rows refer to.
	parents []string
}

// leaving are the tables whose rows leave by themselves and must not be erased: events that are still to be told.
var leaving = []string{"outbox"}

const listTables = `select relation.relname::text,
    exists (select from pg_index where indrelid = relation.oid and indisvalid and indpred is null and indkey[0] = attribute.attnum),
    pg_relation_size(relation.oid) / current_setting('block_size')::bigint,
    array(select distinct parent.relname::text from pg_constraint join pg_class parent on parent.oid = confrelid
        where contype = 'f' and conrelid = relation.oid and confrelid <> conrelid),
    not relrowsecurity or exists (select from pg_policy where polrelid = relation.oid and polcmd = '*' and polpermissive
        and relation.relowner = any (polroles) and pg_get_expr(polqual, polrelid) = 'true')
from pg_class relation join pg_attribute attribute on attrelid = relation.oid and attname = 'organization_id' and not attisdropped
where relation.relkind = 'r' and relation.relnamespace = 'public'::regnamespace
order by relation.relname`

// errUnfit says that the database is not made so that an organization can be erased from it; only a migration mends that.
var errUnfit = errors.New("an organization can't be erased from this database")

// plan returns the tables to be erased, children before their parents.
func (e *Eraser) plan(ctx context.Context, querier pg.Querier) ([]table, error) {
	rows, err := querier.Query(ctx, listTables)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer rows.Close()
	var tables []table
	for rows.Next() {
		var found table
		var shown bool
		if err := rows.Scan(&found.name, &found.indexed, &found.blocks, &found.parents, &shown); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
		switch {
		case slices.Contains(leaving, found.name), slices.Contains(e.Own.Keep, found.name):
		case !shown:
			return nil, fmt.Errorf("%w: no policy shows its owner the rows of %s", errUnfit, found.name)
		default:
			tables = append(tables, found)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return childrenFirst(tables)
}

// childrenFirst puts a table before those that its rows refer to.
func childrenFirst(tables []table) ([]table, error) {
	var ordered []table
	for len(tables) > 0 {
		free := slices.IndexFunc(tables, func(candidate table) bool {
			return !slices.ContainsFunc(tables, func(other table) bool { return slices.Contains(other.parents, candidate.name) })
		})
		if free < 0 {
			names := make([]string, 0, len(tables))
			for _, stuck := range tables {
				names = append(names, stuck.name)
			}
			return nil, fmt.Errorf("%w: these refer to each other: %s", errUnfit, strings.Join(names, ", "))
		}
		ordered = append(ordered, tables[free])
		tables = slices.Delete(tables, free, free+1)
	}
	return ordered, nil
}
