package erasure

import (
	"context"
	"fmt"
	"slices"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
)

// OwnPeople is what a service has to say about the erasure of people. Every service says which columns name them.
type OwnPeople struct {
	// Columns are those that name people, and what becomes of each.
	Columns []person.Column
	// Last are tables whose rows the service that owns the person deletes itself, when all others have confirmed.
	Last []string
	// Refuse and Sweeps are as those of organizations. Sweeps come before the columns.
	Refuse func(ctx context.Context, tx *pg.Tx, personID id.ID) (string, error)
	Sweeps []Sweep
	// Waits reports whether something must be done for the person before anything of theirs is erased: a last mail.
	Waits func(ctx context.Context, tx *pg.Tx, personID id.ID) (bool, error)
}

const listColumns = `select relation.relname || '.' || attribute.attname,
    exists (select from pg_index where indrelid = relation.oid and indisvalid and indpred is null and indkey[0] = attribute.attnum
        and atttypid <> 'uuid[]'::regtype),
    pg_relation_size(relation.oid) / current_setting('block_size')::bigint,
    array(select distinct parent.relname::text from pg_constraint join pg_class parent on parent.oid = confrelid
        where contype = 'f' and conrelid = relation.oid and confrelid <> conrelid),
    not relrowsecurity or exists (select from pg_policy where polrelid = relation.oid and polcmd = '*' and polpermissive
        and relation.relowner = any (polroles) and pg_get_expr(polqual, polrelid) = 'true')
from pg_class relation join pg_attribute attribute on attrelid = relation.oid and not attisdropped
where relation.relkind = 'r' and relation.relnamespace = 'public'::regnamespace
    and relation.relname || '.' || attribute.attname = any ($1::text[])`

// treatments are what release_rows is told, of what it does.
var treatments = map[person.Treatment]string{person.Remove: "remove", person.Replace: "replace", person.Clear: "clear"}

// peoplePlan returns the sweeps over the columns that name people, those of children before those of their parents.
func (e *Eraser) peoplePlan(ctx context.Context, querier pg.Querier) ([]Sweep, error) {
	columns := map[string]person.Column{}
	var names []string
	for _, column := range e.Own.People.Columns {
		if treatments[column.Forget] != "" && !slices.Contains(e.Own.People.Last, column.Table()) {
			columns[column.Name] = column
			names = append(names, column.Name)
		}
	}
	found, err := readTables(ctx, querier, listColumns, names)
	if err != nil {
		return nil, err
	}
	var tables []table
	sweeps := map[string][]Sweep{}
	for _, place := range found {
		column := columns[place.name]
		if !place.shown {
			return nil, fmt.Errorf("%w: no policy shows its owner the rows of %s", errUnfit, column.Table())
		}
		delete(columns, place.name)
		place.name = column.Table()
		if sweeps[place.name] == nil {
			tables = append(tables, place)
		}
		sweeps[place.name] = append(sweeps[place.name], place.release(column))
	}
	for missing := range columns {
		return nil, fmt.Errorf("%w: there is no column %s", errUnfit, missing)
	}
	ordered, err := childrenFirst(tables)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(e.Own.People.Sweeps)
	for _, table := range ordered {
		all = append(all, sweeps[table.name]...)
	}
	return all, nil
}

const releaseRows = `select release_rows($1, $2::text::regclass, $3, $4, $5, $6, $7)`

// release makes the table's rows name a person no more, in one column.
func (t table) release(column person.Column) Sweep {
	return Sweep{Name: t.name, Erase: t.walk(func(ctx context.Context, tx *pg.Tx, personID id.ID, first, last *int64, atMost int) (released int64, err error) {
		err = tx.QueryRow(ctx, releaseRows, personID, t.name, column.Column(), treatments[column.Forget], first, last, atMost).Scan(&released)
		if err != nil {
			return 0, fmt.Errorf("release rows: %w", err)
		}
		return released, nil
	})}
}
