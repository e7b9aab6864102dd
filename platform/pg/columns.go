package pg

import (
	"reflect"
	"strings"
)

// Columns lists the columns of a row type that sqlc has generated with db tags, in the order of its fields, which is that
// in which pgx.RowToStructByPos reads them. A statement put together at run time names them by it, so that a new column
// is everywhere at once, and one that this program does not know yet is nowhere.
func Columns[Row any]() string {
	row := reflect.TypeFor[Row]()
	names := make([]string, row.NumField())
	for i := range names {
		names[i] = row.Field(i).Tag.Get("db")
	}
	return strings.Join(names, ", ")
}
