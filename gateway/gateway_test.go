package gateway_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

const somewhere = "0198f5a2-6c1e-7b3a-9d41-2f8e5a7c1b01"

func TestEveryMethodReachesItsService(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	for _, method := range methods {
		paths := map[string]string{method.Procedure: "POST"}
		if method.Path != "" {
			path := method.Path
			for strings.Contains(path, "{") {
				begin, end := strings.Index(path, "{"), strings.Index(path, "}")
				path = path[:begin] + somewhere + path[end+1:]
			}
			paths[path] = method.HTTPMethod
		}
		for path, verb := range paths {
			before := d.recorders[method.Service].count()
			got := d.send(verb, path, token, "{}")
			if method.Rule == rpc.Internal {
				require.Equal(t, 404, got.status, path)
				require.Equal(t, before, d.recorders[method.Service].count(), "%s is for services only", path)
				continue
			}
			require.Equal(t, 200, got.status, path)
			require.Equal(t, before+1, d.recorders[method.Service].count(), path)
			require.Equal(t, path, d.recorders[method.Service].last(t).URL.Path)
		}
	}
}

func TestInternalMethodsAreNotToldFromUnknownOnes(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	internal := d.send("POST", "/braid.identity.v1.DirectoryService/GetUser", token, "{}", "X-Correlation-Id", "same")
	unknown := d.send("POST", "/braid.identity.v1.DirectoryService/GetNothing", token, "{}", "X-Correlation-Id", "same")
	require.Equal(t, unknown.text, internal.text)
	require.Equal(t, unknown.status, internal.status)
	require.Zero(t, d.recorders["identity"].count())
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	for _, refused := range []struct {
		method, path string
		status       int
		reason       string
	}{
		{"GET", "//", 404, "PATH_UNKNOWN"},
		{"GET", "/api/v1/nothing", 404, "PATH_UNKNOWN"},
		{"POST", "/api/v1/me:nothing", 404, "PATH_UNKNOWN"},
		{"GET", "/docs/../../etc/passwd", 404, "PATH_UNKNOWN"},
		{"GET", "/api/v1/../../healthz", 404, "PATH_UNKNOWN"},
		{"GET", "//healthz", 404, "PATH_UNKNOWN"},
		{"GET", "/healthz/", 404, "PATH_UNKNOWN"},
		{"GET", "/docs/../healthz", 404, "PATH_UNKNOWN"},
		{"GET", "/docs//page.css", 404, "PATH_UNKNOWN"},
		{"GET", "/docs/nothing", 404, "PATH_UNKNOWN"},
		{"GET", "/docs/swagger/", 404, "PATH_UNKNOWN"},
		{"PUT", "/api/v1/me", 405, "METHOD_NOT_ALLOWED"},
		{"DELETE", "/api/v1/auth/login", 405, "METHOD_NOT_ALLOWED"},
		{"OPTIONS", "/api/v1/me", 405, "METHOD_NOT_ALLOWED"},
		{"POST", "/healthz", 405, "METHOD_NOT_ALLOWED"},
		{"POST", "/openapi.json", 405, "METHOD_NOT_ALLOWED"},
	} {
		got := d.send(refused.method, refused.path, "", "")
		require.Equal(t, refused.status, got.status, refused.path)
		require.Equal(t, refused.reason, got.reason(t), refused.path)
	}
	require.Equal(t, 404, d.send("GET", "/grpc.reflection.v1.ServerReflection", "", "").status)
	require.InDelta(t, 5, d.metric("braid_gateway_refusals_total", "reason", "METHOD_NOT_ALLOWED"), 0)
}

// HEAD is GET without the body, but no stream.
func TestHead(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	got := d.send("HEAD", "/api/v1/me", token, "")
	require.Equal(t, 200, got.status)
	require.Empty(t, got.text)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, "GET", d.recorders["identity"].last(t).Method)
	require.Equal(t, 401, d.send("HEAD", "/api/v1/me", "", "").status)
	require.Equal(t, 405, d.send("HEAD", "/api/v1/auth/login", "", "").status)
	require.Equal(t, 405, d.send("HEAD", "/api/v1/organizations/"+somewhere+"/projects/"+somewhere+":watch", token, "").status)
	require.Equal(t, 404, d.send("HEAD", "/nothing", "", "").status)
	require.Equal(t, 200, d.send("HEAD", "/healthz", "", "").status)
	require.InDelta(t, 1, d.metric("braid_gateway_duration_seconds", "method", "HEAD", "code", "401"), 0)
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	other := newDoor(t, nil)
	foreign, _ := other.signIn()
	good, _ := d.signIn()
	for name, header := range map[string]string{"no scheme": good, "another scheme": "Basic " + good, "empty": "Bearer ", "no space": "Bearer" + good} {
		got := d.send("GET", "/api/v1/me", "", "", "Authorization", header)
		require.Equal(t, 401, got.status, name)
		require.Equal(t, "TOKEN_MISSING", got.reason(t), name)
		require.NotEmpty(t, got.header.Get("WWW-Authenticate"))
	}
	for name, token := range map[string]string{"garbage": "x.y.z", "another key": foreign, "cut": good[:len(good)-4]} {
		got := d.send("GET", "/api/v1/me", token, "")
		require.Equal(t, 401, got.status, name)
		require.Equal(t, "TOKEN_INVALID", got.reason(t), name)
	}
	require.Zero(t, d.recorders["identity"].count(), "the service never sees them")
	require.Equal(t, 200, d.send("GET", "/api/v1/me", "", "", "Authorization", "bearer "+good).status, "schemes have no case")
	d.clock.Advance(11 * time.Minute)
	require.Equal(t, 401, d.send("GET", "/api/v1/me", good, "").status, "it has expired")
	require.Equal(t, 200, d.send("POST", "/api/v1/auth/login", "", "{}").status, "public methods need none")
}

func TestCorrelation(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	token, _ := d.signIn()
	kept := d.send("GET", "/api/v1/me", token, "", "X-Correlation-Id", "order-66:a.b_c")
	require.Equal(t, []string{"order-66:a.b_c"}, kept.header.Values("X-Correlation-Id"))
	require.Equal(t, "order-66:a.b_c", d.recorders["identity"].last(t).Header.Get("X-Correlation-Id"))
	for _, bad := range []string{"", "with space", "<script>", strings.Repeat("x", 129), `{"a":1}`} {
		made := d.send("GET", "/api/v1/me", token, "", "X-Correlation-Id", bad)
		_, err := id.Parse(made.header.Get("X-Correlation-Id"))
		require.NoError(t, err, "%q must be replaced", bad)
		require.Equal(t, made.header.Get("X-Correlation-Id"), d.recorders["identity"].last(t).Header.Get("X-Correlation-Id"))
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	for _, path := range []string{"/api/v1/me", "/nothing", "/healthz", "/invitations/accept"} {
		got := d.send("GET", path, "", "")
		require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"), path)
		if path != "/api/v1/me" {
			require.Equal(t, "DENY", got.header.Get("X-Frame-Options"), path)
			require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"), path)
		}
		require.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
		require.Contains(t, got.header.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.Contains(t, got.header.Get("Content-Security-Policy"), "frame-ancestors 'none'", path)
		require.NotContains(t, got.header.Get("Content-Security-Policy"), "script-src", path)
		require.Empty(t, got.header.Get("Strict-Transport-Security"), "only over TLS")
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.CORSOrigins = []string{"https://app.example.com"} })
	preflight := []string{"Origin", "https://app.example.com", "Access-Control-Request-Method", "PATCH"}
	allowed := d.send("OPTIONS", "/api/v1/me", "", "", preflight...)
	require.Equal(t, 204, allowed.status)
	require.Equal(t, "https://app.example.com", allowed.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, allowed.header.Get("Access-Control-Allow-Methods"), "PATCH")
	for _, name := range []string{"Authorization", "Idempotency-Key", "Content-Type"} {
		require.Contains(t, allowed.header.Get("Access-Control-Allow-Headers"), name)
	}
	require.Empty(t, allowed.header.Get("Access-Control-Allow-Credentials"), "there are no cookies")
	require.Zero(t, d.recorders["identity"].count())

	token, _ := d.signIn()
	listed := d.send("GET", "/api/v1/me", token, "", "Origin", "https://app.example.com")
	require.Equal(t, "https://app.example.com", listed.header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, listed.header.Get("Access-Control-Expose-Headers"), "Idempotency-Replayed")
	require.Equal(t, "Origin", listed.header.Get("Vary"))

	for _, origin := range []string{"https://evil.example.com", "https://app.example.com.evil.com", "http://app.example.com", "null"} {
		stranger := d.send("GET", "/api/v1/me", token, "", "Origin", origin)
		require.Empty(t, stranger.header.Get("Access-Control-Allow-Origin"), origin)
		refused := d.send("OPTIONS", "/api/v1/me", "", "", "Origin", origin, "Access-Control-Request-Method", "PATCH")
		require.Empty(t, refused.header.Get("Access-Control-Allow-Origin"), origin)
		require.Empty(t, refused.header.Get("Access-Control-Allow-Methods"), origin)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.BodyTimeout = 200 * time.Millisecond })
	largest := strings.Repeat(" ", rpc.MaxBody)
	require.Equal(t, 200, d.send("POST", "/api/v1/auth/login", "", largest).status)
	require.Len(t, d.recorders["identity"].bodies[0], rpc.MaxBody, "it arrives whole")

	told := d.send("POST", "/api/v1/auth/login", "", largest+" ")
	require.Equal(t, 413, told.status)
	require.Equal(t, "BODY_TOO_LARGE", told.reason(t))
	untold, err := http.NewRequestWithContext(t.Context(), "POST", d.URL+"/api/v1/auth/login", struct{ io.Reader }{strings.NewReader(largest + " ")})
	require.NoError(t, err)
	got := d.do(untold)
	require.Equal(t, 413, got.status, "of unknown length")
	require.Equal(t, 1, d.recorders["identity"].count())
}

// A body that does not come holds up nobody else, however few places there are.
func TestSlowBodiesTakeNoPlaces(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.RequestsLimit = 1 })
	for range 3 {
		connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(d.URL, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		_, err = fmt.Fprintf(connection, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		require.NoError(t, err)
	}
	token, _ := d.signIn()
	for range 20 {
		require.Equal(t, 200, d.send("GET", "/api/v1/me", token, "").status)
	}
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) {
		e.Config.UserRate, e.Config.AddressRate, e.Config.AuthRate = 3, 4, 2
	})
	token, _ := d.signIn()
	for left := 2; left >= 0; left-- {
		got := d.send("GET", "/api/v1/me", token, "")
		require.Equal(t, 200, got.status)
		require.Equal(t, "3", got.header.Get("RateLimit-Limit"))
		require.Equal(t, fmt.Sprint(left), got.header.Get("RateLimit-Remaining"))
		require.NotEmpty(t, got.header.Get("RateLimit-Reset"))
	}
	refused := d.send("GET", "/api/v1/me", token, "")
	require.Equal(t, 429, refused.status)
	require.Equal(t, "RATE_LIMITED", refused.reason(t))
	require.Equal(t, "20", refused.header.Get("Retry-After"))
	require.Equal(t, "0", refused.header.Get("RateLimit-Remaining"))
	require.Equal(t, 3, d.recorders["identity"].count(), "the service is spared")
	require.InDelta(t, 1, d.metric("braid_gateway_rate_limited_total"), 0)

	other, _ := d.signIn()
	require.Equal(t, 200, d.send("GET", "/api/v1/me", other, "").status, "another user of the same address")
	d.clock.Advance(20 * time.Second)
	require.Equal(t, 200, d.send("GET", "/api/v1/me", token, "").status, "when it said")

	for range 2 {
		require.Equal(t, 200, d.send("POST", "/api/v1/auth/login", "", "{}").status)
	}
	require.Equal(t, 429, d.send("POST", "/api/v1/auth/register", "", "{}").status, "one strict budget for all of auth")
	require.Equal(t, 200, d.send("GET", "/.well-known/jwks.json", "", "").status, "reading keys is not guessing passwords")
	for range 3 {
		require.Equal(t, 401, d.send("GET", "/api/v1/me", "guess", "").status)
	}
	require.Equal(t, 429, d.send("GET", "/api/v1/me", "guess", "").status, "guessing tokens costs the address")
	require.Equal(t, 429, d.send("GET", "/openapi.json", "", "").status)
	require.Equal(t, 200, d.send("GET", "/healthz", "", "").status, "probes are never limited")
	require.Equal(t, 200, d.send("GET", "/api/v1/me", other, "").status, "who is signed in does not suffer")
}

func TestOverload(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.RequestsLimit, e.Config.StreamsLimit = 1, 1 })
	entered, leave := make(chan struct{}), make(chan struct{})
	d.recorders["identity"].answer = func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-leave
	}
	token, _ := d.signIn()
	done := make(chan int)
	go func() { done <- d.send("GET", "/api/v1/me", token, "").status }()
	<-entered
	refused := d.send("GET", "/api/v1/me", token, "")
	require.Equal(t, 429, refused.status)
	require.Equal(t, "OVERLOADED", refused.reason(t))
	require.NotEmpty(t, refused.header.Get("Retry-After"))
	watch := "/api/v1/organizations/" + somewhere + "/projects/" + somewhere + ":watch"
	require.Equal(t, 200, d.send("GET", watch, token, "").status, "streams have places of their own")
	close(leave)
	require.Equal(t, 200, <-done)
	go func() { <-entered }()
	require.Equal(t, 200, d.send("GET", "/api/v1/me", token, "").status, "the place is free again")
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	trusting := newDoor(t, func(e *gateway.Environment) { e.Config.TrustedProxies = []string{"127.0.0.0/8", "10.0.0.0/8"} })
	plain := newDoor(t, nil)
	for _, test := range []struct {
		name, want string
		door       *door
		forwarded  []string
	}{
		{"nobody is believed by default", "127.0.0.1", plain, []string{"203.0.113.7"}},
		{"the proxy's word", "203.0.113.7", trusting, []string{"203.0.113.7"}},
		{"a claim beyond the first stranger", "198.51.100.1", trusting, []string{"203.0.113.7, 198.51.100.1"}},
		{"through two proxies", "198.51.100.1", trusting, []string{"203.0.113.7, 198.51.100.1, 10.1.2.3"}},
		{"in several headers", "198.51.100.1", trusting, []string{"203.0.113.7", "198.51.100.1", "10.1.2.3"}},
		{"garbage ends the walk", "10.1.2.3", trusting, []string{"203.0.113.7, nonsense, 10.1.2.3"}},
		{"nothing said", "127.0.0.1", trusting, nil},
		{"IPv4 in IPv6", "203.0.113.7", trusting, []string{"::ffff:203.0.113.7"}},
		{"IPv6", "2001:db8::7", trusting, []string{"2001:db8::7"}},
	} {
		var headers []string
		for _, value := range test.forwarded {
			headers = append(headers, "X-Forwarded-For", value)
		}
		headers = append(headers, "Braid-Forwarded-By", "forged")
		token, _ := test.door.signIn()
		require.Equal(t, 200, test.door.send("GET", "/api/v1/me", token, "", headers...).status)
		seen := test.door.recorders["identity"].last(t)
		require.Equal(t, []string{test.want}, seen.Header.Values("X-Forwarded-For"), test.name)
		vouched, err := test.door.signer.Token("identity")
		require.NoError(t, err)
		require.Equal(t, []string{vouched}, seen.Header.Values("Braid-Forwarded-By"), "the gateway's own word, for this service")
	}
}

func TestAddressesHaveBudgetsOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) {
		e.Config.TrustedProxies, e.Config.AuthRate = []string{"127.0.0.0/8"}, 1
	})
	login := func(from string) int {
		return d.send("POST", "/api/v1/auth/login", "", "{}", "X-Forwarded-For", from).status
	}
	require.Equal(t, 200, login("203.0.113.7"))
	require.Equal(t, 429, login("203.0.113.7"))
	require.Equal(t, 429, login("198.51.100.99, 203.0.113.7"), "a claim buys nothing")
	require.Equal(t, 200, login("203.0.113.8"))
	require.Equal(t, 200, login("2001:db8:0:1::1"))
	require.Equal(t, 429, login("2001:db8:0:1::2"), "the same /64")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	problems := map[string]error{}
	d := newDoor(t, func(e *gateway.Environment) { e.Ready = func() map[string]error { return problems } })
	require.Equal(t, 200, d.send("GET", "/readyz", "", "").status)
	problems["database"] = errors.New("canary: postgres at 10.1.2.3")
	got := d.send("GET", "/readyz", "", "")
	require.Equal(t, 503, got.status)
	require.JSONEq(t, `{"status":"unavailable"}`, got.text, "the public port tells no details")
	require.Equal(t, 200, d.send("GET", "/healthz", "", "").status, "alive is not ready")
}

func TestNewNamesWhatHasNoAddress(t *testing.T) {
	t.Parallel()
	_, err := gateway.New(gateway.Environment{Clock: clock.System{}, Registerer: prometheus.NewRegistry()})
	require.ErrorContains(t, err, "the gateway has no address for service ")
}

func TestMetricsKeepForeignTextOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), "CANARY", d.URL+"/api/v1/me", nil)
	require.NoError(t, err)
	require.Equal(t, 405, d.do(request).status)
	require.InDelta(t, 1, d.metric("braid_gateway_duration_seconds", "method", "other", "code", "405"), 0)
	require.Zero(t, d.metric("braid_gateway_duration_seconds", "method", "CANARY"))
}
