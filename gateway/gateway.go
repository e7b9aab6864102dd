// Package gateway is the only public door: it finds the service a request is for, signs the caller in early, limits,
// and passes the request on unchanged to the service's own handler, in this process or behind a reverse proxy. It
// never transcodes, holds no data, and decides nothing that a service would not decide again for itself.
package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// Name is the gateway's name among the services: its service tokens carry it.
const Name = "gateway"

var (
	errRateLimited = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many requests.")
	errOverloaded  = errs.New(errs.ResourceExhausted, "OVERLOADED", "More requests are under way than can be served.")
	errCanceled    = errs.New(errs.Canceled, "CANCELED", "The caller went away.")
	errUnavailable = errs.New(errs.Unavailable, "UNAVAILABLE", "A part that the request needs can't be reached.")
)

// Environment is what a process gives to the gateway.
type Environment struct {
	Config Config
	// Services are the handlers of this process, URLs the addresses of the services that are elsewhere, by name.
	Services map[string]http.Handler
	URLs     map[string][]string
	// RedisURL shares limits between gateways; empty for one gateway.
	RedisURL      string
	PublicURL     string
	Authenticator *authn.Authenticator
	Signer        *authn.Signer
	// Traced is whether spans go anywhere.
	Traced bool
	// Ready says what is not ready, for /readyz.
	Ready      func() map[string]error
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Gateway serves the public port.
type Gateway struct {
	Environment
	router    *rpc.Router
	backends  map[string]http.Handler
	proxies   []netip.Prefix
	limiter   limiter
	pages     *http.ServeMux
	metrics   *metrics
	requests  atomic.Int64
	streams   atomic.Int64
	transport *backendTransport
	// closeLimiter ends what the limiter runs.
	closeLimiter func()
}

// New assembles a gateway. It fails when a service of the contract is neither here nor has an address.
func New(environment Environment) (*Gateway, error) {
	methods, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	router, err := rpc.NewRouter(methods)
	if err != nil {
		return nil, err
	}
	gateway := &Gateway{
		Environment: environment, router: router, backends: map[string]http.Handler{}, metrics: newMetrics(environment.Registerer),
		transport: newBackendTransport(),
	}
	for _, network := range environment.Config.TrustedProxies {
		prefix, err := netip.ParsePrefix(network)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %w", err)
		}
		gateway.proxies = append(gateway.proxies, prefix)
	}
	if err := gateway.findBackends(methods); err != nil {
		return nil, err
	}
	if err := gateway.chooseLimiter(); err != nil {
		return nil, err
	}
	gateway.pages = gateway.newPages(methods)
	return gateway, nil
}

func (g *Gateway) findBackends(methods map[string]*rpc.Method) error {
	for _, method := range methods {
		name := method.Service
		switch {
		case g.backends[name] != nil:
		case g.Services[name] != nil:
			g.backends[name] = g.Services[name]
		case len(g.URLs[name]) > 0:
			proxy, err := g.newProxy(name, g.URLs[name])
			if err != nil {
				return err
			}
			g.backends[name] = proxy
		default:
			return fmt.Errorf("the gateway has no address for service %s: set BRAID_%s_URL", name, strings.ToUpper(name))
		}
	}
	return nil
}

func (g *Gateway) chooseLimiter() error {
	memory, err := newMemoryLimiter(g.Clock)
	if err != nil {
		return err
	}
	g.limiter, g.closeLimiter = memory, memory.close
	if g.RedisURL == "" {
		return nil
	}
	shared, err := newRedisLimiter(g.RedisURL, memory, g.Clock, g.Registerer, g.Logger)
	if err != nil {
		memory.close()
		return err
	}
	g.limiter, g.closeLimiter = shared, func() {
		shared.close()
		memory.close()
	}
	return nil
}

// Close releases what New took. Requests must have ended.
func (g *Gateway) Close() {
	g.closeLimiter()
	g.transport.close()
}

// ServeHTTP takes a request through the door.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	writer := g.newStatusWriter(w, r)
	// Deferred, because a proxy whose backend dies halfway aborts by panicking.
	defer func() {
		writer.end()
		g.metrics.observe(r.Method, writer.status, time.Since(started))
	}()
	correlationID := g.prepare(writer, r)
	g.limitBody(writer, r)
	if !g.answerCORS(writer, r) {
		g.serve(writer, r, correlationID)
	}
}

func (g *Gateway) serve(w *statusWriter, r *http.Request, correlationID string) {
	method, err := g.router.Find(r.Method, r.URL)
	if err != nil && r.Method == http.MethodHead {
		method, r, err = g.findHead(r, err)
	}
	if err == nil && method.Rule == rpc.Internal {
		method, err = nil, rpc.ErrPathUnknown
	}
	g.router.SetAllow(w.Header(), r.URL, err)
	if method == nil {
		g.servePage(w, r, correlationID, err)
		return
	}
	defer g.trace(w, r, method)()
	if err = g.admit(w, r, method); err == nil {
		err = g.readBody(w, r)
	}
	if err != nil {
		g.refuse(w, r, correlationID, err)
		return
	}
	// Not before the body is there: a client that sends slowly must not hold a place.
	release, err := g.takePlace(method)
	if err != nil {
		g.refuse(w, r, correlationID, err)
		return
	}
	defer release()
	g.pass(w, r, method, correlationID)
}

// findHead finds the GET that a HEAD is without the body, which the server leaves out. A stream has no end to be told of.
func (g *Gateway) findHead(r *http.Request, missing error) (*rpc.Method, *http.Request, error) {
	method, err := g.router.Find(http.MethodGet, r.URL)
	if err != nil || method.Stream {
		return nil, r, missing
	}
	asked := *r
	asked.Method = http.MethodGet
	return method, &asked, nil
}

// admit signs the caller in and spends from the budgets.
func (g *Gateway) admit(w *statusWriter, r *http.Request, method *rpc.Method) error {
	key, rate := budgetKey("address", w.client), g.Config.AddressRate
	switch {
	case method.Guessable:
		key, rate = budgetKey("auth", w.client), g.Config.AuthRate
	case method.Rule != rpc.Public:
		// The budget of the address pays for tokens that are not good, so guessing them is limited.
		actor, err := g.signIn(r)
		if err != nil {
			if spendErr := g.spend(w, r, key, rate); spendErr != nil {
				return spendErr
			}
			return err
		}
		// Who acts in somebody's name spends what is their own.
		spender := actor.UserID
		if !actor.ImpersonatorID.IsZero() {
			spender = actor.ImpersonatorID
		}
		key, rate = "user:"+spender.String(), g.Config.UserRate
	}
	return g.spend(w, r, key, rate)
}

func (g *Gateway) signIn(r *http.Request) (call.Actor, error) {
	token := rpc.BearerToken(r)
	if token == "" {
		return call.Actor{}, rpc.ErrTokenMissing
	}
	return g.Authenticator.AuthenticateUser(r.Context(), token)
}

func (g *Gateway) spend(w http.ResponseWriter, r *http.Request, key string, rate int) error {
	outcome, err := g.limiter.take(r.Context(), key, rate)
	if err != nil {
		return errUnavailable.WithCause(err)
	}
	outcome.writeHeaders(w.Header(), rate)
	if !outcome.allowed {
		g.metrics.limited.Inc()
		return errRateLimited.WithRetryAfter(outcome.retryAfter)
	}
	return nil
}

// takePlace bounds what is under way: streams apart from requests, because they stay.
func (g *Gateway) takePlace(method *rpc.Method) (release func(), err error) {
	counter, limit := &g.requests, int64(g.Config.RequestsLimit)
	if method.Stream {
		counter, limit = &g.streams, int64(g.Config.StreamsLimit)
	}
	if counter.Add(1) > limit {
		counter.Add(-1)
		return nil, errOverloaded
	}
	return func() { counter.Add(-1) }, nil
}

// pass hands the request to its service, vouching for the client's address.
func (g *Gateway) pass(w *statusWriter, r *http.Request, method *rpc.Method, correlationID string) {
	token, err := g.Signer.Token(method.Service)
	if err != nil {
		g.refuse(w, r, correlationID, errUnavailable.WithCause(err))
		return
	}
	forwarded := []string{w.client.String(), token}
	r.Header[rpc.ForwardedForHeader], r.Header[rpc.ForwardedByHeader] = forwarded[0:1:1], forwarded[1:2:2]
	w.repeatable = method.ReadOnly || method.Idempotent && r.Header.Get(rpc.IdempotencyHeader) != ""
	g.backends[method.Service].ServeHTTP(w, r)
}

// refuse answers for the gateway itself, in the protocol of the request.
func (g *Gateway) refuse(w *statusWriter, r *http.Request, correlationID string, err error) {
	if errs.KindOf(err) == errs.Internal || errs.KindOf(err) == errs.Unavailable {
		g.Logger.WarnContext(r.Context(), "request not passed on", slog.String("path", r.URL.Path),
			slog.String("correlation_id", correlationID), slog.String("cause", err.Error()))
	}
	g.metrics.refused.WithLabelValues(errs.From(err).Reason).Inc()
	g.answerUnread(w, r, func(w http.ResponseWriter) { rpc.Refuse(w, r, rpc.Fail(err, correlationID)) })
}

// refuseUnreached answers for a service that could not be reached, or did not answer.
func (g *Gateway) refuseUnreached(w *statusWriter, r *http.Request, cause error) {
	problem := errUnavailable.WithCause(cause)
	if r.Context().Err() != nil {
		problem = errCanceled.WithCause(cause)
	}
	g.refuse(w, r, r.Header.Get(rpc.CorrelationHeader), problem)
}

// newCorrelationID names a request that brought no name of its own.
func newCorrelationID() string { return id.New().String() }
