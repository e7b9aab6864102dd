package list

import (
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.einride.tech/aip/filtering"
	expr "google.golang.org/genproto/googleapis/api/expr/v1alpha1"

	"github.com/braidhq/braid/platform/errs"
)

// bareLiteral matches the values that AIP-160 allows without quotes and the parser does not: times and identifiers.
var bareLiteral = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})`)

// source is a filter as the parser sees it, with the way back to what the caller wrote.
type source struct {
	original string
	// text has quotes around bare literals; inserted are the offsets of those quotes in it, ascending.
	text     string
	inserted []int
	// positions are the offsets in text of the parsed expressions, by their id.
	positions map[int64]int32
}

// newSource puts quotes around bare literals and bounds the depth, outside of quoted text.
func newSource(filter string) (*source, error) {
	s := &source{original: filter}
	var text strings.Builder
	text.Grow(len(filter) + 16)
	depth, boundary := 0, true
	for i := 0; i < len(filter); {
		char := filter[i]
		switch {
		case char == '"' || char == '\'':
			end := closingQuote(filter, i)
			text.WriteString(filter[i:end])
			i, boundary = end, false
			continue
		case boundary && isHex(char):
			if length := len(bareLiteral.FindString(filter[i:])); length > 0 && (i+length == len(filter) || !inWord(filter[i+length])) {
				s.inserted = append(s.inserted, text.Len())
				text.WriteString(`"` + filter[i:i+length] + `"`)
				s.inserted = append(s.inserted, text.Len()-1)
				i, boundary = i+length, false
				continue
			}
		case char == '(':
			if depth++; depth > maxFilterDepth {
				return nil, s.problem(text.Len(), "filter.too_complex", "has too many parentheses inside each other")
			}
		case char == ')':
			depth--
		}
		boundary = !inWord(char)
		text.WriteByte(char)
		i++
	}
	s.text = text.String()
	return s, nil
}

// closingQuote returns the offset behind the quoted text that begins at start, or the end when it is not closed.
func closingQuote(filter string, start int) int {
	for i := start + 1; i < len(filter); i++ {
		switch filter[i] {
		case '\\':
			i++
		case filter[start]:
			return i + 1
		}
	}
	return len(filter)
}

func isHex(char byte) bool {
	return '0' <= char && char <= '9' || 'a' <= char && char <= 'f' || 'A' <= char && char <= 'F'
}

func inWord(char byte) bool {
	return isHex(char) || 'a' <= char && char <= 'z' || 'A' <= char && char <= 'Z' || strings.IndexByte(`_-."'`, char) >= 0 || char >= utf8.RuneSelf
}

// parse reads the text into a tree.
func (s *source) parse() (*expr.Expr, error) {
	var parser filtering.Parser
	parser.Init(s.text)
	parsed, err := parser.Parse()
	if err != nil {
		return nil, s.syntaxProblem(err)
	}
	s.positions = parsed.GetSourceInfo().GetPositions()
	return parsed.GetExpr(), nil
}

// syntaxProblem finds the innermost of the parser's nested errors. The outer ones repeat the whole filter each.
func (s *source) syntaxProblem(err error) error {
	offset, message := s.leading(), "can't be read here"
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if located, ok := inner.(interface {
			Position() filtering.Position
			Message() string
		}); ok {
			offset = s.leading() + int(located.Position().Offset)
			if strings.HasPrefix(located.Message(), "unexpected") || strings.HasPrefix(located.Message(), "unterminated") {
				message = located.Message()
			}
		}
		if errors.Is(inner, io.EOF) {
			message = "ends too early"
		}
	}
	return s.problem(offset, "filter.syntax", message)
}

// leading is how much white space the parser cut off before its own offsets began.
func (s *source) leading() int { return len(s.text) - len(strings.TrimLeftFunc(s.text, isSpace)) }

func isSpace(r rune) bool { return strings.TrimSpace(string(r)) == "" }

// at returns where in text an expression begins.
func (s *source) at(node *expr.Expr) int { return s.leading() + int(s.positions[node.GetId()]) }

// quoted reports whether an expression was written in quotes.
func (s *source) quoted(node *expr.Expr) bool {
	offset := s.at(node)
	return offset < len(s.text) && (s.text[offset] == '"' || s.text[offset] == '\'')
}

// problem is an error about a place, told as a character of what the caller wrote.
func (s *source) problem(offset int, rule, message string) error {
	before := 0
	for _, quote := range s.inserted {
		if quote < offset {
			before++
		}
	}
	offset = max(0, min(offset-before, len(s.original)))
	return errs.Invalid("filter", rule, "at character "+strconv.Itoa(utf8.RuneCountInString(s.original[:offset])+1)+": "+message)
}
