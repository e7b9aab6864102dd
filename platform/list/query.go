package list

import (
	"strconv"
	"strings"
)

// placeholder stands for the next argument in a fragment; Build numbers it. PostgreSQL can't hold a NUL, so no
// expression contains one.
const placeholder = "\x00"

// fragment is a piece of SQL with its arguments in the order of its placeholders.
type fragment struct {
	sql  string
	args []any
}

// Query is a request that was understood. It is made for one use by one goroutine.
type Query struct {
	size        int
	filter      fragment
	orders      []sorting
	fingerprint []byte
	// after holds the keyset of the last row seen, one value per order; nil for the first page.
	after []any
}

// PageSize is how many rows the page has at most.
func (q *Query) PageSize() int { return q.size }

// After returns the values of the last row seen, in the order of what is sorted by, nil for the first page: for lists
// that no statement completes. TokenAfter is how their next page begins behind a row.
func (q *Query) After() []any { return q.after }

// TokenAfter returns the token of the page behind a row with these values.
func (q *Query) TokenAfter(values ...any) string { return q.token(values) }

// Build completes a statement that ends inside its WHERE clause: it appends the filter, the place to go on from, the
// order, and a limit of one row more than the page, which tells Page whether there is another.
func (q *Query) Build(base string, args ...any) (string, []any) {
	var sql strings.Builder
	sql.Grow(len(base) + len(q.filter.sql) + 256)
	sql.WriteString(base)
	all := append(make([]any, 0, len(args)+len(q.filter.args)+2*len(q.orders)), args...)
	for _, condition := range []fragment{q.filter, q.keyset()} {
		if condition.sql != "" {
			sql.WriteString(" and (")
			all = condition.appendTo(&sql, all)
			sql.WriteByte(')')
		}
	}
	q.writeTail(&sql)
	return sql.String(), all
}

// BuildUnion is Build for a list whose rows stand in several tables: each base is completed by itself, so that it reads no
// more than a page, and of these the first in the order are taken. The bases share args, give the same columns, and those
// that are ordered by are among them.
func (q *Query) BuildUnion(bases []string, args ...any) (string, []any) {
	var sql strings.Builder
	for position, base := range bases {
		if position > 0 {
			sql.WriteString(" union all ")
		}
		base, args = q.Build(base, args...)
		sql.WriteString("(" + base + ")")
	}
	q.writeTail(&sql)
	return sql.String(), args
}

// writeTail writes the order and the limit.
func (q *Query) writeTail(sql *strings.Builder) {
	sql.WriteString(" order by ")
	for i, order := range q.orders {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(order.Column)
		if order.desc {
			sql.WriteString(" desc")
		}
		if order.desc && order.Nullable {
			sql.WriteString(" nulls last")
		}
	}
	sql.WriteString(" limit ")
	sql.WriteString(strconv.Itoa(q.size + 1))
}

// appendTo writes the fragment with its arguments numbered after those there are.
func (f fragment) appendTo(sql *strings.Builder, args []any) []any {
	rest := f.sql
	for _, arg := range f.args {
		before, after, _ := strings.Cut(rest, placeholder)
		args = append(args, arg)
		sql.WriteString(before)
		sql.WriteByte('$')
		sql.WriteString(strconv.Itoa(len(args)))
		rest = after
	}
	sql.WriteString(rest)
	return args
}

// Page cuts rows to the page and returns the token of the next one, "" when this is the last. value gives what row
// has for an order by its name, or for the tiebreak when the name is "": exactly what the order's SQL expression gave
// (select the expression where it is computed), nil or a nil pointer for NULL. It is asked about the last row only.
func Page[Row any](query *Query, rows []Row, value func(row Row, order string) any) (nextPageToken string, page []Row) {
	if len(rows) <= query.size {
		return "", rows
	}
	page = rows[:query.size]
	last := page[len(page)-1]
	keyset := make([]any, len(query.orders))
	for i, order := range query.orders {
		keyset[i] = order.normalize(value(last, order.name))
	}
	return query.token(keyset), page
}
