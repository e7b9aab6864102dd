package archive

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/braidhq/braid/platform/errs"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// shown is a section as the page shows it.
type shown struct {
	section
	Items [][]fact
}

// More is how many items only the JSON file has.
func (s shown) More() int { return s.Count - len(s.Items) }

// fact is one field of an item. Picture is set when it is one.
type fact struct {
	Label, Text string
	Picture     template.URL
}

func (w *Writer) writePage() error {
	var sections []shown
	for _, written := range w.sections {
		one := shown{section: written}
		for _, item := range written.items {
			facts, err := readFacts(item)
			if err != nil {
				return err
			}
			one.Items = append(one.Items, facts)
		}
		sections = append(sections, one)
	}
	err := page.Execute(w.file, struct {
		About
		When     string
		Sections []shown
	}{w.about, w.about.Time.UTC().Format(time.RFC1123), sections})
	if err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// picture is what an image may look like. Nothing else goes into an address of the page.
var picture = regexp.MustCompile(`^data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+=*$`)

// readFacts returns an item's fields in their order, without those that say nothing.
func readFacts(item string) ([]fact, error) {
	decoder := json.NewDecoder(strings.NewReader(item))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil, errs.From(fmt.Errorf("an item is no object: %w", err))
	}
	var facts []fact
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read item: %w", err)
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, fmt.Errorf("read item: %w", err)
		}
		one := fact{Label: label(fmt.Sprint(name)), Text: readable(raw)}
		if picture.MatchString(one.Text) {
			one.Picture = template.URL(one.Text) //nolint:gosec // It is an image and nothing else: picture says so.
		}
		if one.Text != "" {
			facts = append(facts, one)
		}
	}
	return facts, nil
}

// readable is a value without JSON's marks, as far as it can be.
func readable(raw json.RawMessage) string {
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return string(raw)
	}
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		if moment, err := time.Parse(time.RFC3339Nano, value); err == nil {
			return moment.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		return value
	case bool:
		if value {
			return "yes"
		}
		return "no"
	case []any:
		texts := make([]string, len(value))
		for i, one := range value {
			texts[i] = fmt.Sprint(one)
		}
		return strings.Join(texts, ", ")
	default:
		return string(raw)
	}
}

// label makes words of a field's name: "createTime" is "Create time".
func label(name string) string {
	var words strings.Builder
	for i, char := range name {
		switch {
		case i == 0:
			words.WriteRune(unicode.ToUpper(char))
		case unicode.IsUpper(char):
			words.WriteByte(' ')
			words.WriteRune(unicode.ToLower(char))
		default:
			words.WriteRune(char)
		}
	}
	return words.String()
}
