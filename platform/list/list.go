// Package list is the one way to ask for a page of something: filters in AIP-160 form, orders in AIP-132 form and page
// tokens become the end of one parameterized SQL statement. Only what a Spec declares can be asked for, and nothing a
// caller wrote ever becomes SQL text. It runs no statement and knows no table: store code gives the beginning of the
// statement, with the organization and everything else that must hold.
package list

import (
	"fmt"

	"github.com/braidhq/braid/platform/errs"
)

const (
	// DefaultPageSize is used when a request names no size; MaxPageSize is what any larger one counts as.
	DefaultPageSize = 50
	MaxPageSize     = 200

	maxFilterLength  = 2048
	maxFilterDepth   = 16
	maxRestrictions  = 32
	maxOrderByLength = 256
	maxOrders        = 5
)

// Type says which values a field or an order has, and so which operators fit.
type Type int

// The types. Operators in brackets.
const (
	// String is a text that is compared as a whole [= !=; :* for any but the empty one], where an asterisk at an end of
	// the value stands for anything (and \* for itself). With Values only those are taken, and they are what is compared.
	String Type = iota + 1
	// Text is prose: a String that can also be asked for a part of it, in any case, by [:].
	Text
	// StringSet is an array of texts [: for one that is in it, :* for any].
	StringSet
	// ID is an identifier that may be absent [= != :*]; "" stands for absent.
	ID
	// Int is a whole number [= != < <= > >=].
	Int
	// Time is an RFC 3339 time that may be absent, in quotes or bare [= != < <= > >= :*].
	Time
	// Enum has names for what the column holds [= !=, and < <= > >= where Values are numbers].
	Enum
	// Bool is true or false [= !=]; its column may be any condition.
	Bool
)

// Field is something that a filter may name.
type Field struct {
	// Column is the SQL expression to compare. It is never taken from a request.
	Column string
	Type   Type
	// Values gives what the column holds for each name: all int or all string.
	Values map[string]any
}

// Order is something that a list may be sorted by.
type Order struct {
	// Column is the SQL expression to sort by. It is never taken from a request.
	Column string
	// Type is String, Int, Time or ID.
	Type Type
	// Nullable says that the column may be NULL. A row without a value comes last in both directions: who sorts by
	// something asks for the rows that have it.
	Nullable bool
	// Unique says that no two rows of the list share a value, so that nothing needs to be sorted after it. A Nullable
	// one can't be: rows without a value share that.
	Unique bool
}

// Spec declares a list: what may be asked of it.
type Spec struct {
	// Name tells lists apart, so that one's page token is no good for another.
	Name   string
	Fields map[string]Field
	Orders map[string]Order
	// Default is the orderBy of a request that has none: "createTime desc".
	Default string
	// Tiebreak is a unique, never NULL column that decides between rows that are otherwise equal.
	Tiebreak Order
}

// Request is what a caller asked for, as it came.
type Request struct {
	Filter    string
	OrderBy   string
	PageSize  int32
	PageToken string
	// Binding is what else the list depends on, such as its organization and project: a token is good for these only.
	Binding []string
}

// Asker is what the contract's list requests have in common.
type Asker interface {
	GetFilter() string
	GetOrderBy() string
	GetPageSize() int32
	GetPageToken() string
}

// RequestOf returns what a list request of the contract asks for.
func RequestOf(asked Asker) Request {
	return Request{
		Filter: asked.GetFilter(), OrderBy: asked.GetOrderBy(), PageSize: asked.GetPageSize(), PageToken: asked.GetPageToken(),
	}
}

// Parse reads a request. Its errors are InvalidArgument and name filter, orderBy, pageSize or pageToken; a token that
// was not made for exactly this list is PAGE_TOKEN_INVALID.
func (s Spec) Parse(request Request) (*Query, error) {
	size, err := pageSize(request.PageSize)
	if err != nil {
		return nil, err
	}
	filter, err := s.parseFilter(request.Filter)
	if err != nil {
		return nil, err
	}
	orders, err := s.parseOrders(request.OrderBy)
	if err != nil {
		return nil, err
	}
	query := &Query{size: size, filter: filter, orders: orders, fingerprint: s.fingerprint(request)}
	if request.PageToken != "" {
		if query.after, err = query.parseToken(request.PageToken); err != nil {
			return nil, err
		}
	}
	return query, nil
}

func pageSize(asked int32) (int, error) {
	switch {
	case asked < 0:
		return 0, errs.Invalid("pageSize", "page_size.negative", "must not be negative")
	case asked == 0:
		return DefaultPageSize, nil
	default:
		return min(int(asked), MaxPageSize), nil
	}
}

// Validate reports what is wrong with the declaration itself; a service's test calls it.
func (s Spec) Validate() error {
	if s.Name == "" || s.Tiebreak.Column == "" {
		return fmt.Errorf("list %q: a name and a tiebreak are needed", s.Name)
	}
	for name, field := range s.Fields {
		if field.Column == "" || field.Type < String || field.Type > Bool || (field.Type == Enum && len(field.Values) == 0) {
			return fmt.Errorf("list %s: field %s is not declared in full", s.Name, name)
		}
	}
	for name, order := range s.Orders {
		if order.Column == "" || !order.Type.sortable() || (order.Unique && order.Nullable) {
			return fmt.Errorf("list %s: order %s is not declared in full", s.Name, name)
		}
	}
	if !s.Tiebreak.Type.sortable() || s.Tiebreak.Nullable {
		return fmt.Errorf("list %s: the tiebreak can't be sorted by", s.Name)
	}
	_, err := s.parseOrders("")
	return err
}

func (t Type) sortable() bool { return t == String || t == Int || t == Time || t == ID }
