package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/rpc"
)

const (
	dialTimeout = 2 * time.Second
	// pingAfter finds connections whose other end is gone.
	pingAfter = 15 * time.Second
	// copyBufferSize is what the standard library takes.
	copyBufferSize = 32 << 10
)

// backendTransport speaks HTTP/1.1 to the services, which is the fastest here, and cleartext HTTP/2 for gRPC, which
// knows nothing else.
type backendTransport struct {
	plain *http.Transport
	h2c   *http.Transport
	// questions are those under way to addresses that hang; endQuestions ends them.
	questions    sync.WaitGroup
	endQuestions context.CancelFunc
	questioning  context.Context
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
	transport.questioning, transport.endQuestions = context.WithCancel(context.Background())
	transport.h2c.Protocols = new(http.Protocols)
	transport.h2c.Protocols.SetUnencryptedHTTP2(true)
	transport.h2c.Protocols.SetHTTP2(true)
	transport.h2c.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter}
	return transport
}

func (t *backendTransport) close() {
	t.endQuestions()
	t.questions.Wait()
	t.plain.CloseIdleConnections()
	t.h2c.CloseIdleConnections()
}

func (t *backendTransport) forRequest(r *http.Request) http.RoundTripper {
	if isGRPC(r) {
		return t.h2c
	}
	return t.plain
}

func isGRPC(r *http.Request) bool {
	contentType := r.Header.Get("Content-Type")
	return strings.HasPrefix(contentType, "application/grpc") && !strings.HasPrefix(contentType, "application/grpc-web")
}

// writerKey leads to the gateway's writer of the answer.
type writerKey struct{}

func writerOf(r *http.Request) *statusWriter {
	writer, _ := r.Context().Value(writerKey{}).(*statusWriter)
	return writer
}

// newProxy returns a handler for a service at one or more addresses; it takes requests from pass only.
func (g *Gateway) newProxy(service string, urls []string) (http.Handler, error) {
	backends := &pool{service: service, transport: g.transport, logger: g.Logger, hung: g.metrics.hung.WithLabelValues(service), repeated: g.metrics.repeated.WithLabelValues(service)}
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
		BufferPool:     &copyBuffers{},
		ModifyResponse: replaceHeaders,
		ErrorLog:       slog.NewLogLogger(g.Logger.Handler(), slog.LevelDebug),
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			g.refuseUnreached(writerOf(r), r, fmt.Errorf("service %s: %w", service, err))
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), writerKey{}, w)))
	}), nil
}

// copyBuffers are the buffers that bodies are copied with: one made for each answer would be most of what a request
// allocates.
type copyBuffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *copyBuffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[copyBufferSize]byte); ok {
		return buffer[:]
	}
	return make([]byte, copyBufferSize)
}

// Put implements httputil.BufferPool.
func (b *copyBuffers) Put(buffer []byte) { b.pool.Put((*[copyBufferSize]byte)(buffer)) }

// replaceHeaders lets the service's headers win over the gateway's of the same name, as they do in one process: the
// proxy alone would send both.
func replaceHeaders(response *http.Response) error {
	answer := writerOf(response.Request).Header()
	for name := range response.Header {
		answer.Del(name)
	}
	return nil
}
