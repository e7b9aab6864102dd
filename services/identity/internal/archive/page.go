package archive

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/braidhq/braid/platform/errs"
)

//go:embed page.css
var style string

// fact is one field of an item. Picture says that its text is an image's address.
type fact struct {
	Label, Text string
	Picture     bool
}

func (w *Writer) writePage() error {
	contents, sections := make(g.Group, 0, len(w.sections)), make(g.Group, 0, len(w.sections))
	for _, one := range w.sections {
		contents = append(contents, h.Li(h.A(h.Href("#"+one.Name), g.Text(one.Title)), g.Text(" "), h.Small(g.Text(strconv.Itoa(one.Count)))))
		shown, err := showSection(one)
		if err != nil {
			return err
		}
		sections = append(sections, shown)
	}
	title := "Your data at " + w.about.Deployment
	page := h.Doctype(h.HTML(h.Lang("en"),
		h.Head(h.Meta(h.Charset("utf-8")),
			h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content("default-src 'none'; style-src 'unsafe-inline'; img-src data:")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.TitleEl(g.Text(title)), h.StyleEl(g.Raw(style))),
		h.Body(
			h.H1(g.Text(title)),
			h.P(g.Text("What was held of you on "+w.about.Time.UTC().Format(time.RFC1123)+
				". Each section is also a file beside this page, for programs.")),
			h.Nav(h.Ul(contents)), sections)))
	if err := page.Render(w.file); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func showSection(one section) (g.Node, error) {
	file := h.A(h.Href(one.Name+".json"), g.Text(one.Name+".json"))
	parts := g.Group{h.ID(one.Name), h.H2(g.Text(one.Title+" "), h.Small(file))}
	for _, item := range one.items {
		facts, err := readFacts(item)
		if err != nil {
			return nil, err
		}
		parts = append(parts, h.Dl(g.Map(facts, showFact)))
	}
	switch more := one.Count - len(one.items); {
	case one.Count == 0:
		parts = append(parts, h.P(g.Text("Nothing.")))
	case more > 0:
		parts = append(parts, h.P(g.Textf("And %d more, in ", more), file, g.Text(".")))
	}
	return h.Section(parts), nil
}

func showFact(one fact) g.Node {
	shown := g.Text(one.Text)
	if one.Picture {
		shown = h.Img(h.Src(one.Text), h.Alt(""))
	}
	return g.Group{h.Dt(g.Text(one.Label)), h.Dd(shown)}
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
		one.Picture = picture.MatchString(one.Text)
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
