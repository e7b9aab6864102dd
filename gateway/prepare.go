package gateway

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/rpc"
)

// constantHeaders are on every answer. They are few on purpose: browsers that know frame-ancestors look at no
// X-Frame-Options, and an answer of an RPC has no links to follow; what is no RPC has pageHeaders too. The values are
// shared between answers: one is replaced with Set, and Add makes a new slice because there is no room behind the one
// value. Names are in the form that net/http keeps them in, here and below, so that headers can be used as the maps
// they are.
var constantHeaders = []struct {
	name  string
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
	{"Cache-Control", []string{"no-store"}},
}

// pageHeaders are on what a browser may show besides.
var pageHeaders = http.Header{"X-Frame-Options": {"DENY"}, "Referrer-Policy": {"no-referrer"}}

// prepare sets the headers every answer has, takes away what no client may say, and finds out where the request
// comes from. It returns the correlation id, which the request carries from here on.
func (g *Gateway) prepare(w *statusWriter, r *http.Request) string {
	header := w.Header()
	for _, constant := range constantHeaders {
		header[constant.name] = constant.value
	}
	if r.TLS != nil {
		header.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
	w.client = g.findClient(r)
	delete(r.Header, rpc.ForwardedByHeader)
	delete(r.Header, rpc.ForwardedForHeader)
	rpc.AnswerRequestID(header, r.Header)
	named := r.Header[rpc.CorrelationHeader]
	if len(named) == 0 || !rpc.ValidCorrelation(named[0]) {
		named = []string{newCorrelationID()}
		r.Header[rpc.CorrelationHeader] = named
	}
	header[rpc.CorrelationHeader] = named[:1:1]
	return named[0]
}

// findClient walks X-Forwarded-For from the right, past the proxies that are trusted; what is left of the first that
// is not is that one's own claim, and not believed.
func (g *Gateway) findClient(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	client := peer.Addr().Unmap()
	if !g.trusts(client) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header.Values(rpc.ForwardedForHeader), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !g.trusts(client) {
			return client
		}
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return client
		}
		client = address.Unmap()
	}
	return client
}

func (g *Gateway) trusts(address netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(network netip.Prefix) bool { return network.Contains(address) })
}

const (
	allowedMethods = "GET, POST, PATCH, DELETE"
	allowedHeaders = "Authorization, Content-Type, Idempotency-Key, X-Correlation-Id, X-Request-Id, X-Access-Revision, Last-Event-Id, Connect-Protocol-Version, Connect-Timeout-Ms, X-Grpc-Web, X-User-Agent, Grpc-Timeout, Traceparent, Tracestate"
	exposedHeaders = "X-Correlation-Id, X-Request-Id, X-Access-Revision, Idempotency-Replayed, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, Grpc-Status, Grpc-Message, Grpc-Status-Details-Bin"
)

// answerCORS lets listed origins in and reports whether it has answered the request, a preflight.
func (g *Gateway) answerCORS(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if slices.Contains(g.Config.CORSOrigins, origin) {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", exposedHeaders)
		if preflight {
			header.Set("Access-Control-Allow-Methods", allowedMethods)
			header.Set("Access-Control-Allow-Headers", allowedHeaders)
			header.Set("Access-Control-Max-Age", "600")
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}
