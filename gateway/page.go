package gateway

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"

	"github.com/braidhq/braid/platform/rpc"
)

// maxHealthQuestion is the size of a question about health in bytes: it holds a name.
const maxHealthQuestion = 1 << 10

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
	g.mountStandIns(mux)
	mountDocuments(mux)
	services := reflectionServices(methods)
	mux.Handle(grpchealth.NewHandler(health{g, services}, connect.WithReadMaxBytes(maxHealthQuestion)))
	reflector := grpcreflect.NewStaticReflector(append(services, grpchealth.HealthV1ServiceName)...)
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
	maps.Copy(w.Header(), pageHeaders)
	page := g.isPage(r)
	switch {
	case page && isHealth(r.URL.Path):
		// Probes must not fail because somebody behind the same address is busy.
	case page:
		if spendErr := g.spend(w, r, budgetKey("address", w.client), g.Config.AddressRate); spendErr != nil {
			page, err = false, spendErr
		}
	default:
		asked := *r
		if asked.Method = http.MethodGet; g.isPage(&asked) {
			w.Header().Set("Allow", "GET, HEAD")
			err = rpc.ErrMethodNotAllowed
		}
	}
	switch {
	case !page:
		g.refuse(w, r, correlationID, err)
	case r.Method == http.MethodPost:
		// Reflection is a stream in both directions, as long as the client likes; health is a short question.
		if !isHealth(r.URL.Path) {
			liftBodyDeadline(w)
		}
		g.pages.ServeHTTP(w, r)
	default:
		g.answerUnread(w, r, func(w http.ResponseWriter) { g.pages.ServeHTTP(w, r) })
	}
}

func isHealth(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/"+grpchealth.HealthV1ServiceName+"/Check"
}

// isPage reports whether a request is for one of the gateway's own pages. The multiplexer would lead requests from paths
// that are almost right to the right ones: those are no pages.
func (g *Gateway) isPage(r *http.Request) bool {
	_, pattern := g.pages.Handler(r)
	prefix := pattern[strings.IndexByte(pattern, ' ')+1:]
	switch {
	case prefix == "":
		return false
	case strings.HasSuffix(prefix, "{$}"):
		return r.URL.Path+"{$}" == prefix
	case r.URL.Path == prefix:
		return true
	case !isClean(r.URL):
		return false
	case prefix == docsPath:
		return isDocument(r.URL.Path)
	case strings.HasSuffix(prefix, "/"):
		return strings.HasPrefix(r.URL.Path, prefix)
	}
	return strings.Contains(prefix, "{")
}

// isClean reports whether a path goes down only, by steps with names.
func isClean(address *url.URL) bool {
	return address.EscapedPath() == address.Path && strings.TrimSuffix(address.Path, "/") == path.Clean(address.Path)
}
