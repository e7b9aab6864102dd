package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/braidhq/braid/platform/rpc"
)

const (
	dialTimeout = 2 * time.Second
	// skipFor is how long an address that refused a connection is passed over, and skipHungFor one that did not answer.
	skipFor     = 2 * time.Second
	skipHungFor = 30 * time.Second
	// answerSlack is what an answer may take beyond the deadline that the service holds itself to, and the first event of
	// a stream as well: what takes longer hangs.
	answerSlack = 2 * time.Second
	// pingAfter finds connections whose other end is gone.
	pingAfter = 15 * time.Second
)

// backendTransport speaks HTTP/1.1 to the services, which is the fastest here, and cleartext HTTP/2 for gRPC, which
// knows nothing else.
type backendTransport struct {
	plain *http.Transport
	h2c   *http.Transport
}

func newBackendTransport() *backendTransport {
	newTransport := func() *http.Transport {
		return &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		}
	}
	transport := &backendTransport{plain: newTransport(), h2c: newTransport()}
	transport.h2c.Protocols = new(http.Protocols)
	transport.h2c.Protocols.SetUnencryptedHTTP2(true)
	transport.h2c.Protocols.SetHTTP2(true)
	transport.h2c.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter}
	return transport
}

func (t *backendTransport) close() {
	t.plain.CloseIdleConnections()
	t.h2c.CloseIdleConnections()
}

func (t *backendTransport) forRequest(r *http.Request) http.RoundTripper {
	contentType := r.Header.Get("Content-Type")
	if strings.HasPrefix(contentType, "application/grpc") && !strings.HasPrefix(contentType, "application/grpc-web") {
		return t.h2c
	}
	return t.plain
}

// pool is the addresses of one service. A request goes to the next; one that can't be reached is skipped for a while.
type pool struct {
	service   string
	addresses []*address
	next      atomic.Uint64
	transport *backendTransport
}

type address struct {
	url *url.URL
	// failedUntil is a Unix time in nanoseconds.
	failedUntil atomic.Int64
}

// answerKey leads to the header of the gateway's answer.
type answerKey struct{}

// newProxy returns a handler for a service at one or more addresses. unreached answers when none of them did.
func newProxy(service string, urls []string, transport *backendTransport, logger *slog.Logger, unreached func(http.ResponseWriter, *http.Request, error)) (http.Handler, error) {
	backends := &pool{service: service, transport: transport}
	for _, text := range urls {
		parsed, err := url.Parse(strings.TrimSpace(text))
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return nil, fmt.Errorf("BRAID_%s_URL: %q is no address such as http://10.0.0.7:8080", strings.ToUpper(service), text)
		}
		backends.addresses = append(backends.addresses, &address{url: parsed})
	}
	proxy := &httputil.ReverseProxy{
		// The gateway has set what may be forwarded; the proxy must not add to it. Nor may it take away from the query
		// what it can't read: the service refuses that, and here it would answer as if it had not been asked for.
		Rewrite: func(request *httputil.ProxyRequest) {
			request.Out.URL.RawQuery = request.In.URL.RawQuery
			request.Out.Header[rpc.ForwardedForHeader] = request.In.Header[rpc.ForwardedForHeader]
		},
		Transport:      backends,
		FlushInterval:  -1,
		ModifyResponse: replaceHeaders,
		ErrorLog:       slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			unreached(w, r, fmt.Errorf("service %s: %w", service, err))
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), answerKey{}, w.Header())))
	}), nil
}

// replaceHeaders lets the service's headers win over the gateway's of the same name, as they do in one process: the
// proxy alone would send both.
func replaceHeaders(response *http.Response) error {
	answer, _ := response.Request.Context().Value(answerKey{}).(http.Header)
	for name := range response.Header {
		answer.Del(name)
	}
	return nil
}

// RoundTrip implements http.RoundTripper. It tries each address once, first those that are believed to work, and goes to
// the next only when there was no connection. The transport below repeats by itself, on a connection that broke, what may
// safely be done twice: reads, and requests with an idempotency key. When the process behind the connection is dead, that
// repetition is what finds no connection, and another process answers it.
func (p *pool) RoundTrip(request *http.Request) (*http.Response, error) {
	var problems []error
	now := time.Now()
	for _, backend := range p.inOrder(now) {
		response, err := p.try(request, backend)
		if err == nil {
			return response, nil
		}
		problems = append(problems, err)
		if request.Context().Err() != nil {
			break
		}
		if errors.Is(err, errHangs) {
			backend.failedUntil.Store(time.Now().Add(skipHungFor).UnixNano())
		}
		if !isDialError(err) {
			break
		}
		backend.failedUntil.Store(now.Add(skipFor).UnixNano())
	}
	return nil, errors.Join(problems...)
}

// inOrder begins at the next address and puts those that failed lately last: better a doubtful one than none.
func (p *pool) inOrder(now time.Time) []*address {
	start := p.next.Add(1)
	working, failed := make([]*address, 0, len(p.addresses)), []*address(nil)
	for i := range uint64(len(p.addresses)) {
		backend := p.addresses[(start+i)%uint64(len(p.addresses))]
		if backend.failedUntil.Load() > now.UnixNano() {
			failed = append(failed, backend)
			continue
		}
		working = append(working, backend)
	}
	return append(working, failed...)
}

func (p *pool) try(request *http.Request, backend *address) (*http.Response, error) {
	ctx, giveUp := context.WithCancelCause(request.Context())
	waiting := time.AfterFunc(rpc.Deadline(request.Header)+answerSlack, func() { giveUp(errHangs) })
	defer waiting.Stop()
	attempt := request.Clone(ctx)
	attempt.URL.Scheme, attempt.URL.Host, attempt.Host = backend.url.Scheme, backend.url.Host, backend.url.Host
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		attempt.Body = body
	}
	response, err := p.transport.forRequest(request).RoundTrip(attempt)
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
		giveUp(err)
	}
	return response, err
}

var errHangs = errors.New("the service takes requests and does not answer")

func isDialError(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}
