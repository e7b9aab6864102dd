package list

import (
	"fmt"
	"strings"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"

	"github.com/braidhq/braid/platform/errs"
)

// parseFilter turns a filter into a condition.
func (s Spec) parseFilter(filter string) (fragment, error) {
	switch {
	case strings.TrimSpace(filter) == "":
		return fragment{}, nil
	case len(filter) > maxFilterLength:
		return fragment{}, errs.Invalid("filter", "filter.too_long", fmt.Sprintf("must be at most %d bytes", maxFilterLength))
	case !storable(filter):
		return fragment{}, errs.Invalid("filter", "filter.utf8", "must be valid UTF-8 without NUL")
	}
	source, err := newSource(filter)
	if err != nil {
		return fragment{}, err
	}
	tree, err := source.parse()
	if err != nil {
		return fragment{}, err
	}
	translation := &translation{spec: s, source: source}
	return translation.condition(tree)
}

// translation walks one parsed filter.
type translation struct {
	spec         Spec
	source       *source
	restrictions int
}

func (t *translation) refuse(node *expr.Expr, rule, message string) error {
	return t.source.problem(t.source.at(node), rule, message)
}

// condition translates what is true or false. SQL's third answer, NULL, counts as false everywhere: an operator that
// would turn it into true by NOT says so itself.
func (t *translation) condition(node *expr.Expr) (fragment, error) {
	operation := node.GetCallExpr()
	if operation == nil {
		return fragment{}, t.refuse(node, "filter.syntax", `needs a comparison such as field = "value"; AND, OR and NOT are written in capitals`)
	}
	args := operation.GetArgs()
	switch operation.GetFunction() {
	case filtering.FunctionAnd, filtering.FunctionFuzzyAnd:
		return t.join(node, args, " and ")
	case filtering.FunctionOr:
		return t.join(node, args, " or ")
	case filtering.FunctionNot:
		if len(args) != 1 {
			return fragment{}, t.refuse(node, "filter.syntax", "NOT takes one condition")
		}
		inner, err := t.condition(args[0])
		return fragment{"(" + inner.sql + ") is not true", inner.args}, err
	case filtering.FunctionEquals, filtering.FunctionNotEquals, filtering.FunctionLessThan, filtering.FunctionLessEquals,
		filtering.FunctionGreaterThan, filtering.FunctionGreaterEquals, filtering.FunctionHas:
		return t.restriction(node, operation.GetFunction(), args)
	default:
		return fragment{}, t.refuse(node, "filter.function", "functions can't be called here")
	}
}

func (t *translation) join(node *expr.Expr, args []*expr.Expr, operator string) (fragment, error) {
	if len(args) != 2 {
		return fragment{}, t.refuse(node, "filter.syntax", strings.ToUpper(strings.TrimSpace(operator))+" takes two conditions")
	}
	left, err := t.condition(args[0])
	if err != nil {
		return fragment{}, err
	}
	right, err := t.condition(args[1])
	if err != nil {
		return fragment{}, err
	}
	return fragment{"(" + left.sql + ")" + operator + "(" + right.sql + ")", append(left.args, right.args...)}, nil
}

// restriction translates "field operator value".
func (t *translation) restriction(node *expr.Expr, operator string, args []*expr.Expr) (fragment, error) {
	if t.restrictions++; t.restrictions > maxRestrictions {
		return fragment{}, t.refuse(node, "filter.too_complex", fmt.Sprintf("has more than %d comparisons", maxRestrictions))
	}
	name := path(args[0])
	field, ok := t.spec.Fields[name]
	if !ok || t.source.quoted(args[0]) {
		return fragment{}, t.refuse(args[0], "filter.unknown_field", "can't be filtered by that; the fields are "+names(t.spec.Fields))
	}
	written, ok := t.literal(args[1])
	if !ok {
		return fragment{}, t.refuse(args[1], "filter.type", "needs one value after "+operator)
	}
	condition, rule, message := field.restrict(operator, written)
	switch rule {
	case "":
		return condition, nil
	case "filter.operator":
		return fragment{}, t.refuse(args[0], rule, name+" "+message)
	default:
		return fragment{}, t.refuse(args[1], rule, message)
	}
}

// written is a value as it stands in a filter.
type written struct {
	text   string
	quoted bool
	// number is set when isNumber.
	number   int64
	isNumber bool
}

func (t *translation) literal(node *expr.Expr) (written, bool) {
	switch kind := node.GetExprKind().(type) {
	case *expr.Expr_ConstExpr:
		switch constant := kind.ConstExpr.GetConstantKind().(type) {
		case *expr.Constant_StringValue:
			return written{text: constant.StringValue, quoted: t.source.quoted(node)}, true
		case *expr.Constant_Int64Value:
			return written{number: constant.Int64Value, isNumber: true}, true
		}
	case *expr.Expr_IdentExpr, *expr.Expr_SelectExpr:
		return written{text: path(node)}, true
	}
	return written{}, false
}

// path spells a bare word, or several with dots between.
func path(node *expr.Expr) string {
	if member := node.GetSelectExpr(); member != nil {
		return path(member.GetOperand()) + "." + member.GetField()
	}
	return node.GetIdentExpr().GetName()
}
