package gateway

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/braidhq/braid/gen/openapi"
)

// docs is the browsable page; its scripts and styles come from the same place, never from elsewhere.
//
//go:embed docs
var docs embed.FS

// mountDocuments serves the API's description and the page that shows it.
func mountDocuments(mux *http.ServeMux) {
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(openapi.Document)
	})
	pages, err := fs.Sub(docs, "docs")
	if err != nil {
		panic("gateway: the embedded folder docs is missing: " + err.Error())
	}
	files := http.StripPrefix("/docs", http.FileServerFS(pages))
	mux.Handle("GET /docs/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "public, max-age=300")
		files.ServeHTTP(w, r)
	}))
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
}
