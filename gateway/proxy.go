package gateway

import (
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
	// skipFor is how long an address that refused a connection is passed over.
	skipFor = 2 * time.Second
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
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 256,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		}
	}
	transport := &backendTransport{plain: newTransport(), h2c: newTransport()}
	transport.h2c.Protocols = new(http.Protocols)
	transport.h2c.Protocols.SetUnencryptedHTTP2(true)
	return transport
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

func newProxy(service string, urls []string, transport *backendTransport, logger *slog.Logger) (http.Handler, error) {
	backends := &pool{service: service, transport: transport}
	for _, text := range urls {
		parsed, err := url.Parse(strings.TrimSpace(text))
		if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
			return nil, fmt.Errorf("BRAID_%s_URL: %q is no address such as http://10.0.0.7:8080", strings.ToUpper(service), text)
		}
		backends.addresses = append(backends.addresses, &address{url: parsed})
	}
	return &httputil.ReverseProxy{
		// The gateway has set what may be forwarded; the proxy must not add to it.
		Rewrite: func(request *httputil.ProxyRequest) {
			request.Out.Header[rpc.ForwardedForHeader] = request.In.Header[rpc.ForwardedForHeader]
		},
		Transport:     backends,
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			logger.WarnContext(r.Context(), "service not reached", slog.String("service", service), slog.String("cause", err.Error()))
			rpc.WriteError(w, rpc.Fail(errUnavailable.WithCause(err), r.Header.Get(rpc.CorrelationHeader)))
		},
	}, nil
}

// RoundTrip implements http.RoundTripper. Only a request that never reached a backend is tried at the next.
func (p *pool) RoundTrip(request *http.Request) (*http.Response, error) {
	var problems []error
	start := p.next.Add(1)
	now := time.Now()
	for _, skipFailed := range []bool{true, false} {
		for i := range uint64(len(p.addresses)) {
			backend := p.addresses[(start+i)%uint64(len(p.addresses))]
			if failed := backend.failedUntil.Load() > now.UnixNano(); failed == skipFailed {
				continue
			}
			response, err := p.try(request, backend)
			if err == nil {
				return response, nil
			}
			problems = append(problems, err)
			if !isDialError(err) || request.Context().Err() != nil {
				return nil, errors.Join(problems...)
			}
			backend.failedUntil.Store(now.Add(skipFor).UnixNano())
		}
	}
	return nil, errors.Join(problems...)
}

func (p *pool) try(request *http.Request, backend *address) (*http.Response, error) {
	attempt := request.Clone(request.Context())
	attempt.URL.Scheme, attempt.URL.Host, attempt.Host = backend.url.Scheme, backend.url.Host, backend.url.Host
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		attempt.Body = body
	}
	return p.transport.forRequest(request).RoundTrip(attempt)
}

func isDialError(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}
