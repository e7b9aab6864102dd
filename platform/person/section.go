package person

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// Section is what people get of one sort of thing. It is read by the worker role, which sees all rows and of these the
// columns that a migration lets it see: what is secret must not be among them. What policies show a person as their own
// is read as that person instead (Own), who can be given nobody else's.
type Section struct {
	// Name is the file's in the archive: "comments". Title is what a reader is shown.
	Name, Title string
	// Own says that it is read as the person.
	Own bool
	// From is what stands behind FROM, Where what makes a row the person's, whose id is $1.
	From, Where string
	// Key are the columns that the rows are read in the order of; together they are unique.
	Key []Key
	// Item is a JSON object for each row, with the names and manners of the contract.
	Item string
}

// Key is one column of the order.
type Key struct{ column, kind, first string }

// UUID is a column with ids.
func UUID(column string) Key { return Key{column, "uuid", "00000000-0000-0000-0000-000000000000"} }

// Text is a column with texts, of which none is empty.
func Text(column string) Key { return Key{column, "text", ""} }

// Integer is a column with numbers, of which none is negative.
func Integer(column string) Key { return Key{column, "integer", "-1"} }

// Time is a column with times.
func Time(column string) Key { return Key{column, "timestamptz", "-infinity"} }

const (
	// pageRows and pageBytes bound what is read, and what is in memory, at once. One item may be longer than all others may
	// be together.
	pageRows  = 500
	pageBytes = 256 << 10
	// betweenKeys stands between the values of a place; no value has it.
	betweenKeys = "\x1f"
)

var errPlace = errors.New("the place is none of this section's")

// Query is the statement that reads a page: of the person $1, after the place $2, at most $3 rows.
func (s Section) Query() string {
	columns := make([]string, len(s.Key))
	texts := make([]string, len(s.Key))
	after := make([]string, len(s.Key))
	for i, key := range s.Key {
		columns[i] = key.column
		texts[i] = key.column + "::text"
		after[i] = fmt.Sprintf("($2::text[])[%d]::%s", i+1, key.kind)
	}
	return fmt.Sprintf("select array[%s], (%s)::text from %s where (%s) and (%s) > (%s) order by %s limit $3",
		strings.Join(texts, ", "), s.Item, s.From, s.Where, strings.Join(columns, ", "), strings.Join(after, ", "), strings.Join(columns, ", "))
}

// Page reads the items after a place, at first "", and returns the place where it ended, or "" at the end.
func (s Section) Page(ctx context.Context, db *pg.DB, person id.ID, after string) (items []string, next string, err error) {
	place := make([]string, len(s.Key))
	for i, key := range s.Key {
		place[i] = key.first
	}
	if after != "" {
		if place = strings.Split(after, betweenKeys); len(place) != len(s.Key) {
			return nil, "", errPlace
		}
	}
	querier := db.WorkerRead()
	if s.Own {
		querier = db.Read(pg.Scope{UserID: person})
	}
	rows, err := querier.Query(ctx, s.Query(), person, place, pageRows)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", s.Name, err)
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var item string
		if err := rows.Scan(&place, &item); err != nil {
			return nil, "", fmt.Errorf("read %s: %w", s.Name, err)
		}
		items = append(items, item)
		if size += len(item); size >= pageBytes || len(items) == pageRows {
			return items, strings.Join(place, betweenKeys), nil
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", s.Name, err)
	}
	return items, "", nil
}
