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
	case Enum:
		return f.restrictNamed(operator, value)
	case String, Text:
		if present {
			return fragment{sql: f.Column + " <> ''"}, "", ""
		}
		if f.Type == Text || f.Values == nil {
			return f.restrictText(operator, value)
		}
		return f.restrictNamed(operator, value)
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

// restrictNamed is for fields with Values. A number has no text, and that is never a name.
func (f Field) restrictNamed(operator string, value written) (fragment, string, string) {
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
	before, text, after := wildcards(value.text)
	if operator == ":" && f.Type == Text {
		// A part of a text has anything around it anyway.
		return fragment{f.Column + " ilike " + placeholder + "::text", []any{"%" + likeEscaper.Replace(text) + "%"}}, "", ""
	}
	condition, rule, message := f.compare(equalities, operator, "text", text)
	switch {
	case rule != "" && f.Type == Text:
		message += ", or a part of it by :"
	case rule == "" && before+after != "":
		condition = fragment{f.Column + " like " + placeholder + "::text", []any{before + likeEscaper.Replace(text) + after}}
		if operator == "!=" {
			condition.sql = "(" + condition.sql + ") is not true"
		}
	}
	return condition, rule, message
}

// wildcards takes from a text the asterisks that AIP-160 allows at its ends, where they stand for anything, as what LIKE
// has for them. One behind a backslash is an asterisk; those inside always are.
func wildcards(written string) (before, text, after string) {
	text = written
	if rest, found := strings.CutPrefix(text, "*"); found {
		before, text = "%", rest
	} else if strings.HasPrefix(text, `\*`) {
		text = text[1:]
		if text == "*" {
			return before, text, after
		}
	}
	if rest, found := strings.CutSuffix(text, `\*`); found {
		text = rest + "*"
	} else if rest, found := strings.CutSuffix(text, "*"); found {
		after, text = "%", rest
	}
	return before, text, after
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
