package erasure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/pg"
)

// table is one that holds rows of organizations, or of people.
type table struct {
	name string
	// indexed says that a subject's rows are found by an index; the others are looked for in the whole table.
	indexed bool
	// blocks is how long the table is.
	blocks int64
	// parents are the tables that its rows refer to.
	parents []string
	// shown says that the owner of the tables sees all rows.
	shown bool
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

// errUnfit says that a subject can't be erased from the database as it is made; only a migration mends that.
var errUnfit = errors.New("the database is not made to be erased from")

// plan returns what is to be gone over for a subject of the kind.
func (e *Eraser) plan(ctx context.Context, querier pg.Querier, kind *Kind) ([]Sweep, error) {
	if kind == Person {
		return e.peoplePlan(ctx, querier)
	}
	found, err := readTables(ctx, querier, listTables)
	if err != nil {
		return nil, err
	}
	var tables []table
	for _, found := range found {
		switch {
		case slices.Contains(leaving, found.name), slices.Contains(e.Own.Keep, found.name):
		case !found.shown:
			return nil, fmt.Errorf("%w: no policy shows its owner the rows of %s", errUnfit, found.name)
		default:
			tables = append(tables, found)
		}
	}
	if tables, err = childrenFirst(tables); err != nil {
		return nil, err
	}
	// What is found by other rows goes before them.
	sweeps := slices.Clone(e.Own.Sweeps)
	for _, table := range tables {
		sweeps = append(sweeps, table.sweep())
	}
	return sweeps, nil
}

func readTables(ctx context.Context, querier pg.Querier, query string, arguments ...any) (tables []table, err error) {
	rows, err := querier.Query(ctx, query, arguments...)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var found table
		if err := rows.Scan(&found.name, &found.indexed, &found.blocks, &found.parents, &found.shown); err != nil {
			return nil, fmt.Errorf("list tables: %w", err)
		}
		tables = append(tables, found)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return tables, nil
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
