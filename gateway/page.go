package gateway

import (
	"net/http"

	"connectrpc.com/grpcreflect"

	"github.com/braidhq/braid/platform/rpc"
)

// reflectionServices lists the public services for gRPC reflection.
func reflectionServices(methods map[string]*rpc.Method) []string {
	seen := map[string]bool{}
	var names []string
	for _, method := range methods {
		name := string(method.Descriptor.Parent().FullName())
		if method.Rule != rpc.Internal && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// newPages serves what is not in the contract: health, documents, reflection.
func (g *Gateway) newPages(methods map[string]*rpc.Method) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeState(w, true) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeState(w, len(g.Ready()) == 0) })
	mux.HandleFunc("GET /invitations/accept", g.serveInvitationPage)
	mountDocuments(mux)
	reflector := grpcreflect.NewStaticReflector(reflectionServices(methods)...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector))
	return mux
}

// writeState answers without details: those are the admin port's.
func writeState(w http.ResponseWriter, good bool) {
	w.Header().Set("Content-Type", "application/json")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("{\"status\":\"unavailable\"}\n"))
		return
	}
	_, _ = w.Write([]byte("{\"status\":\"ok\"}\n"))
}

// servePage answers what no method is for: by one of the gateway's own pages, or with the error.
func (g *Gateway) servePage(w *statusWriter, r *http.Request, correlationID string, err error) {
	page := g.isPage(r)
	switch {
	case page && isHealth(r.URL.Path):
		// Probes must not fail because somebody behind the same address is busy.
	case page:
		if spendErr := g.spend(w, r, budgetKey("address", w.client), g.Config.AddressRate); spendErr != nil {
			page, err = false, spendErr
		}
	default:
		asked := r.Clone(r.Context())
		if asked.Method = http.MethodGet; g.isPage(asked) {
			w.Header().Set("Allow", "GET, HEAD")
			err = rpc.ErrMethodNotAllowed
		}
	}
	if page {
		// Reflection is a stream in both directions, as long as the client likes.
		liftBodyDeadline(w)
		g.pages.ServeHTTP(w, r)
		return
	}
	g.refuse(w, r, correlationID, err)
}

func isHealth(path string) bool { return path == "/healthz" || path == "/readyz" }

// isPage reports whether a path without a method is one of the gateway's own pages.
func (g *Gateway) isPage(r *http.Request) bool {
	_, pattern := g.pages.Handler(r)
	return pattern != ""
}
