package rpc

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"

	"github.com/braidhq/braid/platform/errs"
)

// answerFile writes an answer that is no JSON but a file, as google.api.HttpBody says. A browser must take it for what it
// is called, run nothing in it, and need not fetch it again: what a public path shows never changes, anything else is
// asked about each time.
func (r *restRequest) answerFile(w http.ResponseWriter, file *httpbody.HttpBody) {
	sum := sha256.Sum256(file.GetData())
	etag := `"` + hex.EncodeToString(sum[:16]) + `"`
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	header.Set("Cache-Control", "private, no-cache")
	if r.method.Rule == Public {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if matches(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set(contentTypeHeader, file.GetContentType())
	header.Set("Content-Length", strconv.Itoa(len(file.GetData())))
	_, _ = w.Write(file.GetData())
}

// streamFile writes a file that comes piece by piece, and is never all in memory. It is saved and not shown, and kept by no
// cache. What goes wrong after the first piece breaks the connection, so that nobody takes a part for the whole.
func (r *restRequest) streamFile(w http.ResponseWriter, run func(send func(*httpbody.HttpBody) error) error) {
	controller, begun := http.NewResponseController(w), false
	err := run(func(piece *httpbody.HttpBody) error {
		if !begun {
			begun = true
			header := w.Header()
			header.Set(contentTypeHeader, piece.GetContentType())
			header.Set("Content-Disposition", "attachment")
			header.Set("X-Content-Type-Options", "nosniff")
			header.Set("Content-Security-Policy", "default-src 'none'; sandbox")
			header.Set("Cache-Control", "no-store")
			header.Set("Referrer-Policy", "no-referrer")
		}
		// A writer without deadlines (a test's recorder) has nobody slow behind it.
		_ = controller.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := w.Write(piece.GetData()); err != nil {
			return errs.New(errs.Canceled, "CANCELED", "The client went away.").WithCause(err)
		}
		if err := controller.Flush(); err != nil {
			return errs.New(errs.Canceled, "CANCELED", "The client went away.").WithCause(err)
		}
		return nil
	})
	_ = controller.SetWriteDeadline(time.Time{})
	switch {
	case err == nil:
	case begun:
		panic(http.ErrAbortHandler)
	default:
		r.fail(w, err)
	}
}

// matches reports whether an If-None-Match names a tag (RFC 9110 section 13.1.2, which compares weakly).
func matches(lists []string, etag string) bool {
	for _, list := range lists {
		for wanted := range strings.SplitSeq(list, ",") {
			wanted = strings.TrimSpace(wanted)
			if wanted == "*" || strings.TrimPrefix(wanted, "W/") == etag {
				return true
			}
		}
	}
	return false
}
