package list

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// keyset is the condition for rows that come after the last one seen. Rows are never counted from the start, so none
// is skipped or seen twice when others come or go meanwhile.
func (q *Query) keyset() fragment {
	switch {
	case q.after == nil:
		return fragment{}
	case q.uniform():
		return q.compareRow()
	default:
		return q.compareColumns()
	}
}

// uniform reports whether PostgreSQL's own row comparison says what is meant; it can be read off an index.
func (q *Query) uniform() bool {
	return !slices.ContainsFunc(q.orders, func(order sorting) bool { return order.Nullable || order.desc != q.orders[0].desc })
}

func (q *Query) compareRow() fragment {
	var columns, values []string
	var args []any
	for i, order := range q.orders {
		value := order.literal(q.after[i])
		columns, values, args = append(columns, order.Column), append(values, value.sql), append(args, value.args...)
	}
	operator := " > "
	if q.orders[0].desc {
		operator = " < "
	}
	return fragment{"(" + strings.Join(columns, ", ") + ")" + operator + "(" + strings.Join(values, ", ") + ")", args}
}

// compareColumns spells the comparison out: later in the first column, or equal there and later in the second, …
func (q *Query) compareColumns() fragment {
	var alternatives []string
	var args []any
	var equal []fragment
	for i, order := range q.orders {
		if later, possible := order.later(q.after[i]); possible {
			var parts []string
			for _, condition := range append(slices.Clone(equal), later) {
				parts, args = append(parts, condition.sql), append(args, condition.args...)
			}
			alternatives = append(alternatives, "("+strings.Join(parts, " and ")+")")
		}
		equal = append(equal, order.equal(q.after[i]))
	}
	return fragment{strings.Join(alternatives, " or "), args}
}

// later is the condition for values that come after value; nothing comes after NULL.
func (s sorting) later(value any) (fragment, bool) {
	if value == nil {
		return fragment{}, false
	}
	literal, operator := s.literal(value), " > "
	if s.desc {
		operator = " < "
	}
	if s.Nullable {
		return fragment{"(" + s.Column + operator + literal.sql + " or " + s.Column + " is null)", literal.args}, true
	}
	return fragment{s.Column + operator + literal.sql, literal.args}, true
}

func (s sorting) equal(value any) fragment {
	if value == nil {
		return fragment{sql: s.Column + " is null"}
	}
	literal := s.literal(value)
	return fragment{s.Column + " = " + literal.sql, literal.args}
}

// literal casts, so that the value's type is the order's and not what the column makes of it.
func (s sorting) literal(value any) fragment {
	return fragment{placeholder + "::" + sqlTypes[s.Type], []any{value}}
}

var sqlTypes = map[Type]string{String: "text", Text: "text", Int: "bigint", Time: "timestamptz", ID: "uuid"}

// normalize brings a row's value to string, int64, time.Time, id.ID or nil. It panics for anything else, and for a NULL
// in a column that was declared to have none: the store's code does not fit its Spec, and a guess would skip rows.
func (s sorting) normalize(value any) any {
	switch typed := value.(type) {
	case *time.Time:
		if value = nil; typed != nil {
			value = *typed
		}
	case *string:
		if value = nil; typed != nil {
			value = *typed
		}
	case *int32:
		if value = nil; typed != nil {
			value = int64(*typed)
		}
	case *int64:
		if value = nil; typed != nil {
			value = *typed
		}
	case int:
		value = int64(typed)
	case int16:
		value = int64(typed)
	case int32:
		value = int64(typed)
	case *id.ID:
		if value = nil; typed != nil && !typed.IsZero() {
			value = *typed
		}
	case id.ID:
		if typed.IsZero() {
			value = nil
		}
	}
	if !s.fits(value) {
		panic(fmt.Sprintf("list: order %q has a value of type %T, which its Spec does not allow", s.name, value))
	}
	return value
}

func (s sorting) fits(value any) bool {
	switch value.(type) {
	case nil:
		return s.Nullable
	case string:
		return s.Type == String
	case int64:
		return s.Type == Int
	case time.Time:
		return s.Type == Time
	case id.ID:
		return s.Type == ID
	default:
		return false
	}
}
