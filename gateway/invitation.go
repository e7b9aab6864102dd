package gateway

import (
	"html/template"
	"net/http"
	"regexp"
)

// mailedToken is what our tokens look like. Anything else is not shown: the page offers a line to paste into a shell.
var mailedToken = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// invitationPage stands behind the link of an invitation mail until there is a console: it shows the call to make.
var invitationPage = template.Must(template.New("invitation").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Braid: invitation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a}
pre{background:#f4f4f4;padding:1rem;overflow-x:auto;border-radius:6px}</style></head><body>
<h1>You are invited</h1>
<p>Sign in with the address that was invited, then accept:</p>
<pre>curl -X POST {{.PublicURL}}/api/v1/invitations:accept \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
  -d '{"token":"{{.Token}}"}'</pre>
<p>To decline, call <code>invitations:reject</code> with the same body. The token works once, for 7 days.</p>
</body></html>
`))

func (g *Gateway) serveInvitationPage(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if !mailedToken.MatchString(token) {
		token = "<token from the mail>"
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_ = invitationPage.Execute(w, map[string]string{"PublicURL": g.PublicURL, "Token": token})
}
