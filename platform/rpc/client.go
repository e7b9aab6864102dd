package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

const (
	clientTimeout   = 5 * time.Second
	maxTries        = 3
	retryPause      = 50 * time.Millisecond
	breakerFailures = 10
	breakerPause    = 2 * time.Second
	maxAnswer       = 16 << 20
)

// TokenSource mints service tokens for an audience.
type TokenSource interface {
	Token(audience string) (string, error)
}

// Target is where a service is: in this process, or at one or more addresses.
type Target struct {
	// Handler serves the service in this process; nil when it is elsewhere.
	Handler http.Handler
	// URLs are its addresses, tried in turn; a failing one is skipped.
	URLs []string
}

// Clients are the ways to the other services. The same generated client runs over HTTP or in memory; which of them is
// the target's business alone.
type Clients struct {
	targets map[string]Target
	tokens  TokenSource
	methods map[string]*Method
	remote  *http.Transport
	tries   *prometheus.CounterVec
	retries *prometheus.CounterVec
	state   *prometheus.GaugeVec

	mu     sync.Mutex
	dialed map[string]*serviceClient
}

// NewClients returns clients for targets by service name. methods are the contract's, by procedure.
func NewClients(targets map[string]Target, tokens TokenSource, registerer prometheus.Registerer) (*Clients, error) {
	methods, err := Catalog()
	if err != nil {
		return nil, err
	}
	tries, err := register(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_rpc_client_tries_total",
		Help: "Tries to call other services, by service and outcome: answered, failed, timed_out, held_back (the breaker is open).",
	}, []string{"service", "outcome"}))
	if err != nil {
		return nil, err
	}
	retries, err := register(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_rpc_client_retries_total", Help: "Tries that were not the first of their call, by service.",
	}, []string{"service"}))
	if err != nil {
		return nil, err
	}
	state, err := register(registerer, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "braid_rpc_client_breaker_open", Help: "Whether calls to a service are held back because it keeps failing.",
	}, []string{"service"}))
	if err != nil {
		return nil, err
	}
	return &Clients{targets: targets, tokens: tokens, methods: methods, tries: tries, retries: retries, state: state, remote: newTransport(), dialed: map[string]*serviceClient{}}, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ResponseHeaderTimeout: clientTimeout,
	}
}

// Dial returns what a generated Connect client is made from: New…ServiceClient(clients.Dial("identity")).
// All clients of one service share what is known of its health.
func (c *Clients) Dial(service string) (connect.HTTPClient, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialed[service] == nil {
		c.dialed[service] = &serviceClient{clients: c, service: service, breaker: c.newBreaker(service)}
		// Alerts can't be written on series that begin with the trouble.
		for _, outcome := range outcomes {
			c.tries.WithLabelValues(service, outcome)
		}
		c.retries.WithLabelValues(service)
		c.state.WithLabelValues(service).Set(0)
	}
	return c.dialed[service], "http://" + service + ".internal"
}

// Close lets go of idle connections.
func (c *Clients) Close() { c.remote.CloseIdleConnections() }

func (c *Clients) newBreaker(service string) *gobreaker.CircuitBreaker[*http.Response] {
	return gobreaker.NewCircuitBreaker[*http.Response](gobreaker.Settings{
		Name:        service,
		Timeout:     breakerPause,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakerFailures },
		OnStateChange: func(name string, _, to gobreaker.State) {
			open := 0.0
			if to == gobreaker.StateOpen {
				open = 1
			}
			c.state.WithLabelValues(name).Set(open)
		},
		// A caller that went away says nothing about the service.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
	})
}

// serviceClient sends requests to one service.
type serviceClient struct {
	clients *Clients
	service string
	breaker *gobreaker.CircuitBreaker[*http.Response]
	next    atomic.Uint64
}

// Do implements connect.HTTPClient: it adds who calls and for whom, bounds the time, and tries reads again.
func (s *serviceClient) Do(request *http.Request) (*http.Response, error) {
	target, ok := s.clients.targets[s.service]
	if !ok {
		return nil, fmt.Errorf("no address for service %s", s.service)
	}
	method := s.clients.methods[request.URL.Path]
	if method == nil {
		return nil, fmt.Errorf("%s is not in the contract", request.URL.Path)
	}
	body, err := readOutgoing(request)
	if err != nil {
		return nil, err
	}
	if err := s.sign(request, method); err != nil {
		return nil, err
	}
	tries := 1
	if method.ReadOnly {
		tries = maxTries
	}
	for try := 1; ; try++ {
		if try > 1 {
			s.clients.retries.WithLabelValues(s.service).Inc()
		}
		response, err := s.breaker.Execute(func() (*http.Response, error) { return s.send(request, body, target, method) })
		s.clients.tries.WithLabelValues(s.service, outcomeOf(err)).Inc()
		if err == nil || try == tries || request.Context().Err() != nil {
			if err != nil {
				return nil, connect.NewError(connect.CodeUnavailable, fmt.Errorf("call %s: %w", s.service, err))
			}
			return response, nil
		}
		_ = clock.Sleep(request.Context(), retryPause*time.Duration(try))
	}
}

var outcomes = []string{"answered", "failed", "timed_out", "held_back"}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return "held_back"
	case errors.Is(err, context.DeadlineExceeded):
		return "timed_out"
	default:
		return "failed"
	}
}

func readOutgoing(request *http.Request) ([]byte, error) {
	if request.Body == nil {
		return nil, nil
	}
	defer func() { _ = request.Body.Close() }()
	return io.ReadAll(request.Body)
}

// sign says who calls: a service token for internal RPCs, the caller's own token for all others. The address that the
// work came from goes with it, vouched for by a service token, without which it would count for nothing.
func (s *serviceClient) sign(request *http.Request, method *Method) error {
	work := call.From(request.Context())
	own, err := s.clients.tokens.Token(s.service)
	if err != nil {
		return err
	}
	token := work.Actor.Token
	if method.Rule == Internal {
		token = own
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if work.ClientAddress.IsValid() {
		request.Header.Set(ForwardedForHeader, work.ClientAddress.String())
		request.Header.Set(ForwardedByHeader, own)
	}
	if work.CorrelationID != "" {
		request.Header.Set(CorrelationHeader, work.CorrelationID)
	}
	otel.GetTextMapPropagator().Inject(request.Context(), propagation.HeaderCarrier(request.Header))
	return nil
}

// send makes one try. An answer that says the service can't serve counts as a failure, like no answer.
func (s *serviceClient) send(request *http.Request, body []byte, target Target, method *Method) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(request.Context(), clientTimeout)
	defer cancel()
	if target.Handler != nil {
		return answered(serveInMemory(target.Handler, withBody(ctx, request, body)))
	}
	err := fmt.Errorf("no address for service %s", s.service)
	// One address that fails must not look like a service that fails: the others are asked within the same try,
	// unless the request may have had its effect.
	for range target.URLs {
		var response *http.Response
		if response, err = s.sendRemote(withBody(ctx, request, body), target.URLs); err == nil {
			return response, nil
		}
		if ctx.Err() != nil || (!method.ReadOnly && !neverSent(err)) {
			break
		}
	}
	return nil, err
}

func withBody(ctx context.Context, request *http.Request, body []byte) *http.Request {
	attempt := request.Clone(ctx)
	attempt.Body = io.NopCloser(bytes.NewReader(body))
	attempt.ContentLength = int64(len(body))
	return attempt
}

// neverSent reports whether a request failed before a connection was there to carry it.
func neverSent(err error) bool {
	var network *net.OpError
	return errors.As(err, &network) && network.Op == "dial"
}

var errCantServe = errs.New(errs.Unavailable, "UNAVAILABLE", "A part that the request needs can't be reached.")

func answered(response *http.Response) (*http.Response, error) {
	if response.StatusCode == http.StatusServiceUnavailable || response.StatusCode == http.StatusBadGateway {
		return nil, errCantServe
	}
	return response, nil
}

// sendRemote asks the address whose turn it is. One that fails gives the turn to the next.
func (s *serviceClient) sendRemote(attempt *http.Request, urls []string) (*http.Response, error) {
	turn := s.next.Load()
	base := strings.TrimSuffix(urls[turn%uint64(len(urls))], "/")
	target, err := attempt.URL.Parse(base + attempt.URL.Path)
	if err != nil {
		return nil, fmt.Errorf("address of service %s: %w", s.service, err)
	}
	attempt.URL, attempt.Host = target, target.Host
	response, err := s.exchange(attempt)
	if err != nil && !errors.Is(err, context.Canceled) {
		// Many that fail at once on one address move on by one, or they would come round to it again.
		s.next.CompareAndSwap(turn, turn+1)
	}
	return response, err
}

// exchange reads the answer whole, inside the try's deadline.
func (s *serviceClient) exchange(attempt *http.Request) (*http.Response, error) {
	response, err := s.clients.remote.RoundTrip(attempt)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(data) > maxAnswer {
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	response.Body = io.NopCloser(bytes.NewReader(data))
	return answered(response)
}

// serveInMemory calls a handler of this process as if over HTTP, without a connection.
func serveInMemory(handler http.Handler, request *http.Request) *http.Response {
	recorder := &memoryResponse{header: http.Header{}, status: http.StatusOK}
	request.RequestURI = request.URL.RequestURI()
	request.RemoteAddr = "127.0.0.1:0"
	handler.ServeHTTP(recorder, request)
	return &http.Response{
		Status: http.StatusText(recorder.status), StatusCode: recorder.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: recorder.header, Body: io.NopCloser(&recorder.body), ContentLength: int64(recorder.body.Len()), Request: request,
	}
}

type memoryResponse struct {
	header http.Header
	body   bytes.Buffer
	status int
}

// Header implements http.ResponseWriter.
func (m *memoryResponse) Header() http.Header { return m.header }

// WriteHeader implements http.ResponseWriter.
func (m *memoryResponse) WriteHeader(status int) { m.status = status }

// Write implements http.ResponseWriter.
func (m *memoryResponse) Write(data []byte) (int, error) { return m.body.Write(data) }
