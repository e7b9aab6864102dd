package list

import (
	"strings"

	"github.com/braidhq/braid/platform/id"
)

// equalities and comparisons translate operators. "is distinct from" gives an absent value an answer: it differs.
var (
	equalities  = map[string]string{"=": " = ", "!=": " is distinct from "}
	comparisons = map[string]string{"=": " = ", "!=": " is distinct from ", "<": " < ", "<=": " <= ", ">": " > ", ">=": " >= "}
)

// likeEscaper takes the meaning from the characters that LIKE knows.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// restrict translates one comparison, or names the rule it breaks.
func (f Field) restrict(operator string, value written) (condition fragment, rule, message string) {
	present := operator == ":" && value.text == "*" && !value.quoted && !value.isNumber
	switch f.Type {
	case String, Enum:
		return f.restrictNamed(operator, value)
	case Text:
		return f.restrictText(operator, value)
	case StringSet:
		return f.restrictSet(operator, value, present)
	case ID:
		return f.restrictID(operator, value, present)
	case Int:
		if !value.isNumber {
			return fragment{}, "filter.type", "must be a whole number"
		}
		return f.compare(comparisons, operator, "bigint", value.number)
	case Time:
		if present {
			return fragment{sql: f.Column + " is not null"}, "", ""
		}
		time, ok := parseTime(strings.ToUpper(value.text))
		if !ok {
			return fragment{}, "filter.type", "must be an RFC 3339 time such as 2030-01-31T12:00:00Z"
		}
		return f.compare(comparisons, operator, "timestamptz", time)
	default:
		return f.restrictBool(operator, value)
	}
}

// compare writes "column operator value" when the operator is one of those that fit.
func (f Field) compare(operators map[string]string, operator, sqlType string, value any) (fragment, string, string) {
	sql, ok := operators[operator]
	if !ok {
		fitting := make([]string, 0, len(comparisons))
		for _, known := range []string{"=", "!=", "<", "<=", ">", ">="} {
			if _, ok := operators[known]; ok {
				fitting = append(fitting, known)
			}
		}
		return fragment{}, "filter.operator", "can't be compared by " + operator + ", only by " + strings.Join(fitting, " ")
	}
	return fragment{f.Column + sql + placeholder + "::" + sqlType, []any{value}}, "", ""
}

func (f Field) restrictNamed(operator string, value written) (fragment, string, string) {
	if value.isNumber {
		return fragment{}, "filter.type", "must be a text"
	}
	if f.Values == nil {
		if !storable(value.text) {
			return fragment{}, "filter.type", "must be valid UTF-8 without NUL"
		}
		return f.compare(equalities, operator, "text", value.text)
	}
	held, ok := f.Values[value.text]
	if !ok {
		return fragment{}, "filter.type", "must be one of " + names(f.Values)
	}
	if number, ok := held.(int); ok {
		return f.compare(comparisons, operator, "bigint", int64(number))
	}
	return f.compare(equalities, operator, "text", held)
}

func (f Field) restrictText(operator string, value written) (fragment, string, string) {
	if value.isNumber || !storable(value.text) {
		return fragment{}, "filter.type", "must be a text in quotes"
	}
	if operator == ":" {
		return fragment{f.Column + " ilike " + placeholder + "::text", []any{"%" + likeEscaper.Replace(value.text) + "%"}}, "", ""
	}
	condition, rule, message := f.compare(equalities, operator, "text", value.text)
	if rule != "" {
		message += ", or a part of it by :"
	}
	return condition, rule, message
}

func (f Field) restrictSet(operator string, value written, present bool) (fragment, string, string) {
	switch {
	case operator != ":":
		return fragment{}, "filter.operator", "can only be asked for what it contains, by :"
	case present:
		return fragment{sql: "cardinality(" + f.Column + ") > 0"}, "", ""
	case value.isNumber || !storable(value.text):
		return fragment{}, "filter.type", "must be a text in quotes"
	default:
		return fragment{f.Column + " @> array[" + placeholder + "::text]", []any{value.text}}, "", ""
	}
}

func (f Field) restrictID(operator string, value written, present bool) (fragment, string, string) {
	if present {
		return fragment{sql: f.Column + " is not null"}, "", ""
	}
	if value.text == "" && !value.isNumber {
		switch operator {
		case "=":
			return fragment{sql: f.Column + " is null"}, "", ""
		case "!=":
			return fragment{sql: f.Column + " is not null"}, "", ""
		}
	}
	wanted, err := id.Parse(value.text)
	if err != nil || wanted.IsZero() {
		return fragment{}, "filter.type", "must be an identifier (a UUID)"
	}
	return f.compare(equalities, operator, "uuid", wanted)
}

func (f Field) restrictBool(operator string, value written) (fragment, string, string) {
	if value.text != "true" && value.text != "false" {
		return fragment{}, "filter.type", "must be true or false"
	}
	if _, ok := equalities[operator]; !ok {
		return f.compare(equalities, operator, "boolean", nil)
	}
	if (value.text == "true") == (operator == "=") {
		return fragment{sql: f.Column}, "", ""
	}
	return fragment{sql: "(" + f.Column + ") is not true"}, "", ""
}
