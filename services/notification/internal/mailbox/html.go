package mailbox

import (
	"maps"
	"slices"
	"strings"
	"time"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

const style = `body { font: 15px/1.5 sans-serif; margin: 24px; color: #1c2024 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: 6px 12px; border-bottom: 1px solid #e0e1e6 }
pre { white-space: pre-wrap; background: #f5f6f8; padding: 12px }
iframe { width: 100%; height: 420px; border: 1px solid #e0e1e6 }
dt { font-weight: bold }`

func layout(title string, body ...g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(h.Meta(h.Charset("utf-8")), h.TitleEl(g.Text(title)), h.StyleEl(g.Raw(style))),
		h.Body(body...)))
}

// listPage shows messages, those to one address when to is not "".
func listPage(to string, messages []Message) g.Node {
	rows := g.Map(messages, func(message Message) g.Node {
		return h.Tr(
			h.Td(g.Text(message.ReceiveTime.Format(time.DateTime))),
			h.Td(g.Text(strings.Join(message.To, " "))),
			h.Td(h.A(h.Href("/mailbox/messages/"+message.ID.String()), g.Text(message.Subject))))
	})
	if len(rows) == 0 {
		rows = g.Group{h.Tr(h.Td(h.ColSpan("3"), g.Text("No mails yet.")))}
	}
	return layout("Braid mailbox",
		h.H1(g.Text("Mailbox")),
		h.P(g.Text("Every mail of this instance is caught here and none is delivered. As JSON: "),
			h.A(h.Href("/mailbox/messages"), g.Text("/mailbox/messages"))),
		h.Form(h.Action("/mailbox"),
			h.Label(g.Text("To "), h.Input(h.Name("to"), h.Value(to))), g.Text(" "), h.Button(g.Text("Show"))),
		h.Table(h.Tr(h.Th(g.Text("Received")), h.Th(g.Text("To")), h.Th(g.Text("Subject"))), rows))
}

func messagePage(message Message) g.Node {
	fields := g.Group{}
	field := func(name, value string) { fields = append(fields, h.Dt(g.Text(name)), h.Dd(g.Text(value))) }
	field("From", message.From)
	field("To", strings.Join(message.To, " "))
	field("Received", message.ReceiveTime.Format(time.DateTime)+" UTC")
	for _, name := range slices.Sorted(maps.Keys(message.Headers)) {
		field(name, message.Headers[name])
	}
	return layout(message.Subject,
		h.P(h.A(h.Href("/mailbox"), g.Text("All mails"))),
		h.H1(g.Text(message.Subject)),
		h.Dl(fields),
		h.H2(g.Text("Text")), h.Pre(g.Text(message.Text)),
		h.H2(g.Text("HTML")),
		h.IFrame(g.Attr("sandbox"), h.Title("The mail as HTML"), g.Attr("srcdoc", message.HTML)))
}
