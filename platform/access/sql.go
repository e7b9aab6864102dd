package access

import (
	"strconv"
	"strings"
)

// Reach says which resources a permission holds for.
type Reach struct{ filter *filter }

// Everything reports whether that is all of them.
func (r Reach) Everything() bool { return r.filter == yes }

// Nothing reports whether it is none, so that nobody needs to be asked.
func (r Reach) Nothing() bool { return r.filter == no || r.filter == unknown }

// Contains reports whether the resource is one of them. Attributes that the question knew aren't looked at again.
func (r Reach) Contains(resource *Resource) bool { return r.filter.on(resource) == yes }

// Column tells how an attribute of a resource stands in a statement.
type Column struct {
	// Expression is the column. It is null where the resource lacks the attribute.
	Expression string
	// Type is the column's, "uuid" say; arguments are sent as text and cast to it. Empty says text.
	Type string
	// Holds reports whether the column can have a value at all, as far as its type goes; nil says that it can have any. What
	// a customer compares an identifier with need not be one.
	Holds func(value string) bool
}

// SQL renders the reach as a boolean expression of PostgreSQL for a WHERE clause, where unknown counts as false. It
// appends its arguments to those given and numbers its placeholders after them.
func (r Reach) SQL(column func(Attribute) Column, arguments []any) (string, []any) {
	rendering := rendering{column: column, arguments: arguments}
	rendering.write(r.filter)
	return rendering.text.String(), rendering.arguments
}

type rendering struct {
	column    func(Attribute) Column
	text      strings.Builder
	arguments []any
}

func (r *rendering) write(f *filter) {
	switch f.kind {
	case oneOf:
		r.compare(f)
	case conjunction:
		r.join(f.parts, " and ")
	case disjunction:
		r.join(f.parts, " or ")
	case negation:
		r.text.WriteString("not ")
		r.join(f.parts, "")
	case certainly:
		r.join(f.parts, "")
		r.text.WriteString(" is true")
	case possibly:
		r.join(f.parts, "")
		r.text.WriteString(" is not false")
	default:
		r.text.WriteString(map[*filter]string{yes: "true", no: "false", unknown: "null::boolean"}[f])
	}
}

func (r *rendering) join(parts []*filter, word string) {
	r.text.WriteByte('(')
	for i, part := range parts {
		if i > 0 {
			r.text.WriteString(word)
		}
		r.write(part)
	}
	r.text.WriteByte(')')
}

func (r *rendering) compare(f *filter) {
	column, values := r.column(f.attribute), f.values
	if column.Holds != nil {
		values = make([]string, 0, len(f.values))
		for _, value := range f.values {
			if column.Holds(value) {
				values = append(values, value)
			}
		}
	}
	cast := func(of string) string {
		if column.Type == "" {
			return of
		}
		return of + "::" + column.Type
	}
	switch len(values) {
	case 0:
		// False for every value, and null for none, as a comparison would be.
		r.text.WriteString(column.Expression + " <> " + column.Expression)
	case 1:
		r.text.WriteString(column.Expression + " = " + cast(r.argument(values[0])+"::text"))
	default:
		array := r.argument(values) + "::text[]"
		if column.Type != "" {
			array = cast(array) + "[]"
		}
		r.text.WriteString(column.Expression + " = any(" + array + ")")
	}
}

func (r *rendering) argument(value any) string {
	r.arguments = append(r.arguments, value)
	return "$" + strconv.Itoa(len(r.arguments))
}
