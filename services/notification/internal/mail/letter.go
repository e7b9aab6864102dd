package mail

import (
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// A mail is written once, as paragraphs, and rendered twice, as text and as HTML. There is no template engine: those
// look methods up by name while they run, and so keep every method of every library in the binary, a fifth of it.

// A paragraph is what stands between two empty lines.
type paragraph struct {
	spans []span
	// label stands before the only span in the text form: "code: 042137".
	label string
	style string
}

// A span is a run of text in one form. Everything in it is text, whoever wrote it.
type span struct {
	text   string
	form   form
	target string
}

type form int

const (
	plain form = iota
	strong
	code
	// link reads as its text in HTML and as the bare target otherwise.
	link
	// newLine begins a line within a paragraph.
	newLine
)

// say is a paragraph of texts, which are strings or spans.
func say(parts ...any) paragraph {
	spans := make([]span, 0, len(parts))
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			spans = append(spans, span{text: part})
		case span:
			spans = append(spans, part)
		}
	}
	return paragraph{spans: spans}
}

// follow is a paragraph that is a link with words: in the text form the target has a line of its own.
func follow(words, target string) paragraph {
	return paragraph{spans: []span{{text: words, form: link, target: target}}}
}

// enter is a paragraph that shows a code to be typed.
func enter(value string) paragraph {
	return paragraph{spans: []span{{text: value, form: strong}}, label: "code: ", style: "font-size:28px;letter-spacing:4px"}
}

// aside is a paragraph in small grey letters.
func aside(parts ...any) paragraph {
	small := say(parts...)
	small.style = "color:#60646c;font-size:14px"
	return small
}

func bold(text string) span { return span{text: text, form: strong} }

func verbatim(text string) span { return span{text: text, form: code} }

// address is a link that is shown as it is.
func address(target string) span { return span{text: target, form: link, target: target} }

func next() span { return span{form: newLine} }

// letter renders a mail.
func letter(subject string, paragraphs ...paragraph) Content {
	texts := make([]string, len(paragraphs))
	nodes := make(g.Group, len(paragraphs))
	for i, each := range paragraphs {
		texts[i], nodes[i] = each.text(), each.node()
	}
	var page strings.Builder
	// A strings.Builder refuses nothing, and no node has an error of its own.
	_ = h.Doctype(h.HTML(h.Lang("en"),
		h.Head(h.Meta(h.Charset("utf-8")), h.TitleEl(g.Text(subject))),
		h.Body(h.Style("margin:0;padding:24px;background:#f5f6f8;color:#1c2024;font:16px/1.5 sans-serif"),
			h.Div(h.Style("max-width:560px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px"), nodes)),
	)).Render(&page)
	return Content{Subject: subject, Text: strings.Join(texts, "\n\n") + "\n", HTML: page.String()}
}

func (p paragraph) text() string {
	var text strings.Builder
	text.WriteString(p.label)
	for _, each := range p.spans {
		switch {
		case each.form == newLine:
			text.WriteByte('\n')
		case each.form == link && each.text != each.target:
			text.WriteString(each.text + ":\n" + each.target)
		default:
			text.WriteString(each.text)
		}
	}
	return text.String()
}

func (p paragraph) node() g.Node {
	nodes := make(g.Group, 0, len(p.spans)+1)
	if p.style != "" {
		nodes = append(nodes, h.Style(p.style))
	}
	for _, each := range p.spans {
		switch each.form {
		case newLine:
			nodes = append(nodes, h.Br())
		case link:
			nodes = append(nodes, h.A(h.Href(each.target), g.Text(each.text)))
		case strong:
			nodes = append(nodes, h.Strong(g.Text(each.text)))
		case code:
			nodes = append(nodes, h.Code(g.Text(each.text)))
		default:
			nodes = append(nodes, g.Text(each.text))
		}
	}
	return h.P(nodes)
}
