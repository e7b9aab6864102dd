package list

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.einride.tech/aip/ordering"

	"github.com/braidhq/braid/platform/errs"
)

// sorting is one column of the order of a query. name is "" for the tiebreak.
type sorting struct {
	Order
	name string
	desc bool
}

// parseOrders reads an orderBy and completes it to one in which no two rows are equal.
func (s Spec) parseOrders(orderBy string) ([]sorting, error) {
	if strings.TrimSpace(orderBy) == "" {
		orders, err := s.resolveOrders(s.Default)
		if err != nil {
			return nil, fmt.Errorf("default order of list %s: %s", s.Name, err.Message)
		}
		return orders, nil
	}
	orders, violation := s.resolveOrders(orderBy)
	if violation != nil {
		return nil, errs.New(errs.InvalidArgument, "INVALID_ARGUMENT", "The request is not valid.").WithViolation(*violation)
	}
	return orders, nil
}

func (s Spec) resolveOrders(orderBy string) ([]sorting, *errs.Violation) {
	var parsed ordering.OrderBy
	if len(orderBy) > maxOrderByLength {
		return nil, badOrder("order_by.too_long", fmt.Sprintf("must be at most %d bytes", maxOrderByLength))
	}
	if err := parsed.UnmarshalString(orderBy); err != nil {
		return nil, badOrder("order_by.syntax", `must be names with an optional "asc" or "desc", separated by commas`)
	}
	if len(parsed.Fields) > maxOrders {
		return nil, badOrder("order_by.too_many", fmt.Sprintf("must be at most %d names", maxOrders))
	}
	orders := make([]sorting, 0, len(parsed.Fields)+1)
	desc, complete := false, false
	for _, field := range parsed.Fields {
		order, ok := s.Orders[field.Path]
		if !ok {
			return nil, badOrder("order_by.unknown_field", "can't be sorted by that; the names are "+names(s.Orders))
		}
		if slices.ContainsFunc(orders, func(earlier sorting) bool { return earlier.name == field.Path }) {
			return nil, badOrder("order_by.repeated", "names a field twice")
		}
		desc = field.Desc
		orders = append(orders, sorting{Order: order, name: field.Path, desc: desc})
		complete = complete || order.Unique || order.Column == s.Tiebreak.Column
	}
	if !complete {
		// The direction of the last one lets an index on both be read one way.
		orders = append(orders, sorting{Order: s.Tiebreak, desc: desc})
	}
	return orders, nil
}

func badOrder(rule, message string) *errs.Violation {
	return &errs.Violation{Field: "orderBy", Rule: rule, Message: message}
}

func names[V any](declared map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(declared)), ", ")
}
