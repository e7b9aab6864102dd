package gateway

import (
	"html/template"
	"net/http"
	"regexp"

	"github.com/braidhq/braid/platform/id"
)

// Plain pages stand behind the addresses that mails and banners name until there is a console. They hold nobody's data,
// only the address itself, and say which call of the API does what the console will. The patterns are those of
// http.ServeMux.
func (g *Gateway) mountStandIns(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { g.serveStandIn(w, startPage, nil) })
	mux.HandleFunc("GET /invitations/accept", func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("token")
		if !mailedToken.MatchString(token) {
			token = "<token from the mail>"
		}
		g.serveStandIn(w, invitationPage, map[string]string{"Token": token})
	})
	for pattern, page := range map[string]*template.Template{
		"GET /verify-email": verifyPage, "GET /reset-password": resetPage, "GET /data-export": exportPage,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			token := r.URL.Query().Get("token")
			if !mailedToken.MatchString(token) {
				token = "<token from the mail>"
			}
			g.serveStandIn(w, page, map[string]string{"Token": token})
		})
	}
	mux.HandleFunc("GET /organizations/{organization}/tasks/{task}", func(w http.ResponseWriter, r *http.Request) {
		g.serveStandIn(w, taskPage, map[string]string{
			"Organization": shownID(r, "organization"), "Task": shownID(r, "task"),
		})
	})
	mux.HandleFunc("GET /settings/notifications", func(w http.ResponseWriter, _ *http.Request) { g.serveStandIn(w, preferencesPage, nil) })
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

func (g *Gateway) serveStandIn(w http.ResponseWriter, page *template.Template, values map[string]string) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = page.Execute(w, struct {
		PublicURL string
		Values    map[string]string
	}{g.PublicURL, values})
}

// standIn lays a page out.
func standIn(title, body string) *template.Template {
	return template.Must(template.New(title).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Braid: ` + title + `</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a}
pre{background:#f4f4f4;padding:1rem;overflow-x:auto;border-radius:6px}</style></head><body>
` + body + `
</body></html>
`))
}

var (
	startPage = standIn("start", `<h1>Braid is running</h1>
<p>There is no console yet: everything is done by the API.</p>
<ul>
<li><a href="/docs/">/docs/</a>: the API, to be browsed and tried</li>
<li><a href="/openapi.json">/openapi.json</a>: its description, OpenAPI 3.1</li>
<li>"Five minutes with curl" in the README: a walk through it; <code>braid demo</code> does the same</li>
</ul>
<p>To sign in:</p>
<pre>curl -X POST {{.PublicURL}}/api/v1/auth/login \
  -H "Content-Type: application/json" \
  -d '{"email":"&lt;your address&gt;","password":"&lt;your password&gt;"}'</pre>
<p>The <code>accessToken</code> of the answer is what other calls take for <code>$TOKEN</code>.</p>`)

	verifyPage = standIn("address", `<h1>Prove your address</h1>
<pre>curl -X POST {{.PublicURL}}/api/v1/auth/email:verify \
  -H "Content-Type: application/json" \
  -d '{"token":"{{.Values.Token}}"}'</pre>`)

	resetPage = standIn("password", `<h1>Set another password</h1>
<p>The token works once.</p>
<pre>curl -X POST {{.PublicURL}}/api/v1/auth/password:reset \
  -H "Content-Type: application/json" \
  -d '{"token":"{{.Values.Token}}","newPassword":"&lt;at least 12 characters&gt;"}'</pre>`)

	// What follows links in mails before their reader does, follows none of a page: the token is spent by a click.
	exportPage = standIn("data", `<h1>Your data</h1>
<p><a href="{{.PublicURL}}/api/v1/data-exports/{{.Values.Token}}" download="braid-data.zip" rel="noreferrer">Download the archive</a></p>
<p>Open <code>index.html</code> in it. It can be downloaded once; if it breaks off, try again.</p>`)

	invitationPage = standIn("invitation", `<h1>You are invited</h1>
<p>Sign in with the address that was invited, then accept:</p>
<pre>curl -X POST {{.PublicURL}}/api/v1/invitations:accept \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
  -d '{"token":"{{.Values.Token}}"}'</pre>
<p>To decline, call <code>invitations:reject</code> with the same body. The token works once, for 7 days.</p>`)

	taskPage = standIn("task", `<h1>A task</h1>
<p>There is no console yet. Whoever may see this task gets it from the API, signed in:</p>
<pre>curl {{.PublicURL}}/api/v1/organizations/{{.Values.Organization}}/tasks/{{.Values.Task}} \
  -H "Authorization: Bearer $TOKEN"</pre>
<p>What else can be done with it is in <a href="/docs/">the API's documents</a>.</p>`)

	preferencesPage = standIn("notifications", `<h1>What you are notified of</h1>
<p>There is no console yet. Signed in, see what is on and off:</p>
<pre>curl {{.PublicURL}}/api/v1/me/notification-preferences \
  -H "Authorization: Bearer $TOKEN"</pre>
<p>and change what you name, mails about comments for instance:</p>
<pre>curl -X PATCH {{.PublicURL}}/api/v1/me/notification-preferences \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
  -d '{"preferences":[{"kind":"task_commented","channel":"email","enabled":false}]}'</pre>`)
)
