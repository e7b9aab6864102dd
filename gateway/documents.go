package gateway

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/braidhq/braid/gen/openapi"
)

// docs is the browsable page; its scripts and styles come from the same place, never from elsewhere.
//
//go:embed docs
var docs embed.FS

// docsPath is where the page is.
const docsPath = "/docs/"

// isDocument reports whether a path below docsPath leads to a file.
func isDocument(path string) bool {
	info, err := fs.Stat(docs, "docs/"+strings.TrimPrefix(path, docsPath))
	return err == nil && !info.IsDir()
}

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
	mux.Handle("GET "+docsPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "public, max-age=300")
		files.ServeHTTP(w, r)
	}))
	mux.Handle("GET /docs", http.RedirectHandler(docsPath, http.StatusMovedPermanently))
}
