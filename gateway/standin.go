package gateway

import (
	"net/http"
	"regexp"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/braidhq/braid/platform/id"
)

// Plain pages stand behind the addresses that mails and banners name until there is a console. They hold nobody's data,
// only the address itself, and say which call of the API does what the console will. The patterns are those of
// http.ServeMux.
func (gateway *Gateway) mountStandIns(mux *http.ServeMux) {
	publicURL := gateway.PublicURL
	for pattern, page := range map[string]func(publicURL string) g.Node{
		"GET /{$}": startPage, "GET /settings/notifications": preferencesPage,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { serveStandIn(w, page(publicURL)) })
	}
	for pattern, page := range map[string]func(publicURL, token string) g.Node{
		"GET /invitations/accept": invitationPage, "GET /verify-email": verifyPage, "GET /reset-password": resetPage,
		"GET /data-export": exportPage,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			token := r.URL.Query().Get("token")
			if !mailedToken.MatchString(token) {
				token = "<token from the mail>"
			}
			serveStandIn(w, page(publicURL, token))
		})
	}
	mux.HandleFunc("GET /organizations/{organization}/tasks/{task}", func(w http.ResponseWriter, r *http.Request) {
		serveStandIn(w, taskPage(publicURL, shownID(r, "organization"), shownID(r, "task")))
	})
}

// mailedToken is what our tokens look like. Anything else is not shown: the page offers a line to paste into a shell.
var mailedToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// shownID is an identifier of the path; what is none is not shown either.
func shownID(r *http.Request, name string) string {
	parsed, err := id.Parse(r.PathValue(name))
	if err != nil {
		return "<id of the " + name + ">"
	}
	return parsed.String()
}

func serveStandIn(w http.ResponseWriter, page g.Node) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = page.Render(w)
}

// standIn lays a page out.
func standIn(title, heading string, body ...g.Node) g.Node {
	return h.Doctype(h.HTML(h.Lang("en"),
		h.Head(
			h.Meta(h.Charset("utf-8")), h.TitleEl(g.Text("Braid: "+title)),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.StyleEl(g.Raw("body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a}\n"+
				"pre{background:#f4f4f4;padding:1rem;overflow-x:auto;border-radius:6px}"))),
		h.Body(h.H1(g.Text(heading)), g.Group(body))))
}

// say is a paragraph; its parts are texts and nodes.
func say(parts ...any) g.Node {
	nodes := make(g.Group, 0, len(parts))
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			nodes = append(nodes, g.Text(part))
		case g.Node:
			nodes = append(nodes, part)
		}
	}
	return h.P(nodes)
}

// shell shows lines to be pasted into a shell.
func shell(lines string) g.Node { return h.Pre(g.Text(lines)) }

func inline(text string) g.Node { return h.Code(g.Text(text)) }

func startPage(publicURL string) g.Node {
	return standIn("start", "Braid is running",
		say("There is no console yet: everything is done by the API."),
		h.Ul(
			h.Li(h.A(h.Href("/docs/"), g.Text("/docs/")), g.Text(": the API, to be browsed and tried")),
			h.Li(h.A(h.Href("/openapi.json"), g.Text("/openapi.json")), g.Text(": its description, OpenAPI 3.1")),
			h.Li(g.Text(`"Five minutes with curl" in the README: a walk through it; `), inline("braid demo"), g.Text(" does the same"))),
		say("To sign in:"),
		shell(`curl -X POST `+publicURL+`/api/v1/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"<your address>","password":"<your password>"}'`),
		say("The ", inline("accessToken"), " of the answer is what other calls take for ", inline("$TOKEN"), "."))
}

func verifyPage(publicURL, token string) g.Node {
	return standIn("address", "Prove your address",
		shell(`curl -X POST `+publicURL+`/api/v1/auth/email:verify \
  -H "Content-Type: application/json" \
  -d '{"token":"`+token+`"}'`))
}

func resetPage(publicURL, token string) g.Node {
	return standIn("password", "Set another password",
		say("The token works once."),
		shell(`curl -X POST `+publicURL+`/api/v1/auth/password:reset \
  -H "Content-Type: application/json" \
  -d '{"token":"`+token+`","newPassword":"<at least 12 characters>"}'`))
}

// exportPage leads to an archive. What follows links in mails before their reader does, follows none of a page: the token
// is spent by a click.
func exportPage(publicURL, token string) g.Node {
	return standIn("data", "Your data",
		say(h.A(h.Href(publicURL+"/api/v1/data-exports/"+token), g.Attr("download", "braid-data.zip"), g.Attr("rel", "noreferrer"),
			g.Text("Download the archive"))),
		say("Open ", inline("index.html"), " in it. It can be downloaded once; if it breaks off, try again."))
}

func invitationPage(publicURL, token string) g.Node {
	return standIn("invitation", "You are invited",
		say("Sign in with the address that was invited, then accept:"),
		shell(`curl -X POST `+publicURL+`/api/v1/invitations:accept \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
  -d '{"token":"`+token+`"}'`),
		say("To decline, call ", inline("invitations:reject"), " with the same body. The token works once, for 7 days."))
}

func taskPage(publicURL, organization, task string) g.Node {
	return standIn("task", "A task",
		say("There is no console yet. Whoever may see this task gets it from the API, signed in:"),
		shell(`curl `+publicURL+`/api/v1/organizations/`+organization+`/tasks/`+task+` \
  -H "Authorization: Bearer $TOKEN"`),
		say("What else can be done with it is in ", h.A(h.Href("/docs/"), g.Text("the API's documents")), "."))
}

func preferencesPage(publicURL string) g.Node {
	return standIn("notifications", "What you are notified of",
		say("There is no console yet. Signed in, see what is on and off:"),
		shell(`curl `+publicURL+`/api/v1/me/notification-preferences \
  -H "Authorization: Bearer $TOKEN"`),
		say("and change what you name, mails about comments for instance:"),
		shell(`curl -X PATCH `+publicURL+`/api/v1/me/notification-preferences \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
  -d '{"preferences":[{"kind":"task_commented","channel":"email","enabled":false}]}'`))
}
