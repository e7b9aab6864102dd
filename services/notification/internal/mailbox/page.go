package mailbox

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"

	"github.com/braidhq/braid/platform/id"
)

const defaultListed = 100

// Pages returns the mailbox's pages by pattern: a list and a mail for people, and both as JSON for programs.
func (m *Mailbox) Pages() map[string]http.Handler {
	pages := &pages{mailbox: m}
	return map[string]http.Handler{
		"GET /mailbox":               http.HandlerFunc(pages.list),
		"GET /mailbox/messages":      http.HandlerFunc(pages.listJSON),
		"GET /mailbox/messages/{id}": http.HandlerFunc(pages.message),
	}
}

type pages struct {
	mailbox *Mailbox
}

// list shows the newest mails as a page.
func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	messages, err := p.mailbox.List(r.Context(), r.URL.Query().Get("to"), defaultListed)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.render(w, r, listPage(r.URL.Query().Get("to"), messages))
}

// listJSON answers {"messages": […]}, the newest first; ?to= keeps those to one address, ?limit= says how many.
func (p *pages) listJSON(w http.ResponseWriter, r *http.Request) {
	limit := defaultListed
	if text := r.URL.Query().Get("limit"); text != "" {
		parsed, err := strconv.Atoi(text)
		if err != nil || parsed < 1 {
			http.Error(w, "limit must be a number above zero", http.StatusBadRequest)
			return
		}
		limit = min(parsed, p.mailbox.config.MaxMessages)
	}
	messages, err := p.mailbox.List(r.Context(), r.URL.Query().Get("to"), limit)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.writeJSON(w, r, struct {
		Messages []Message `json:"messages"`
	}{messages})
}

// message shows one mail: JSON to who asks for it, else a page.
func (p *pages) message(w http.ResponseWriter, r *http.Request) {
	messageID, err := id.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	message, found, err := p.mailbox.Get(r.Context(), messageID)
	switch {
	case err != nil:
		p.fail(w, r, err)
	case !found:
		http.NotFound(w, r)
	case strings.Contains(r.Header.Get("Accept"), "application/json"):
		p.writeJSON(w, r, message)
	default:
		p.render(w, r, messagePage(message))
	}
}

// protect says to the browser what these pages are made of: nothing that a mail brings along is loaded or run.
func protect(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "+
		"base-uri 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
}

func (p *pages) render(w http.ResponseWriter, r *http.Request, page g.Node) {
	var body bytes.Buffer
	if err := page.Render(&body); err != nil {
		p.fail(w, r, err)
		return
	}
	protect(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}

func (p *pages) writeJSON(w http.ResponseWriter, r *http.Request, value any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	// People read this with curl; that it is no HTML the headers say.
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		p.fail(w, r, err)
		return
	}
	protect(w)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body.Bytes())
}

func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	p.mailbox.config.Logger.WarnContext(r.Context(), "mailbox page not shown", slog.String("cause", err.Error()))
	protect(w)
	http.Error(w, "the mailbox can't be read at the moment", http.StatusServiceUnavailable)
}
