package gateway_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var services = []string{"identity", "organization", "workflow", "notification", "audit"}

// recorder stands in for a service: it remembers what reached it and answers as told.
type recorder struct {
	mu     sync.Mutex
	seen   []*http.Request
	bodies []string
	answer http.HandlerFunc
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	r.seen, r.bodies = append(r.seen, request.Clone(context.WithoutCancel(request.Context()))), append(r.bodies, string(body))
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, request)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

func (r *recorder) last(t *testing.T) *http.Request {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.seen, "nothing reached the service")
	return r.seen[len(r.seen)-1]
}

// door is a gateway that listens, with recorders for the services that a test did not place elsewhere.
type door struct {
	t         *testing.T
	URL       string
	client    *http.Client
	recorders map[string]*recorder
	registry  *prometheus.Registry
	clock     *clock.Manual
	signer    *authn.Signer
	userKey   ed25519.PrivateKey
}

// newDoor opens a gateway; change adjusts what it is made of.
func newDoor(t *testing.T, change func(*gateway.Environment)) *door {
	t.Helper()
	_, userKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, serviceKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	d := &door{
		t: t, recorders: map[string]*recorder{}, registry: prometheus.NewRegistry(), userKey: userKey,
		clock: clock.NewManual(time.Date(2026, 9, 1, 9, 30, 0, 0, time.UTC)),
	}
	d.signer = authn.NewSigner(gateway.Name, "gateway-1", serviceKey, d.clock)
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	authenticator, err := authn.New(authn.Config{
		UserKeys: func(context.Context) (map[string]ed25519.PublicKey, error) {
			return map[string]ed25519.PublicKey{"user-1": userKey.Public().(ed25519.PublicKey)}, nil
		},
		ServiceKeys: map[string]authn.ServiceKey{},
		SessionLive: func(context.Context, id.ID) (authn.SessionState, error) { return authn.SessionState{Live: true}, nil },
		Fresh:       func() bool { return true },
		Clock:       d.clock, Logger: logger, Registerer: d.registry,
	})
	require.NoError(t, err)
	environment := gateway.Environment{
		Config: gateway.Config{
			UserRate: 6000, AddressRate: 6000, AuthRate: 6000, StreamsLimit: 100, RequestsLimit: 100, BodyTimeout: 5 * time.Second,
			WriteTimeout: 5 * time.Second,
		},
		Services: map[string]http.Handler{}, URLs: map[string][]string{}, PublicURL: "https://braid.example.com",
		Authenticator: authenticator, Signer: d.signer, Ready: func() map[string]error { return nil },
		Clock: d.clock, Logger: logger, Registerer: d.registry,
	}
	for _, name := range services {
		d.recorders[name] = &recorder{}
		environment.Services[name] = d.recorders[name]
	}
	if change != nil {
		change(&environment)
	}
	opened, err := gateway.New(environment)
	require.NoError(t, err)
	t.Cleanup(opened.Close)
	d.URL, d.client = listen(t, opened, opened.Pace)
	return d
}

// serve listens with a handler as the product does: HTTP/1.1 and cleartext HTTP/2.
func serve(t *testing.T, handler http.Handler) (string, *http.Client) {
	t.Helper()
	return listen(t, handler, func(listener net.Listener) net.Listener { return listener })
}

func listen(t *testing.T, handler http.Handler, wrap func(net.Listener) net.Listener) (string, *http.Client) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Listener = wrap(server.Listener)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	client := &http.Client{
		Transport: &http.Transport{}, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(client.CloseIdleConnections)
	return server.URL, client
}

// signIn makes a user with an access token.
func (d *door) signIn() (token string, userID id.ID) {
	d.t.Helper()
	userID = id.New()
	now := d.clock.Now()
	made := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{SessionID: id.New().String(), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: userID.String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(authn.AccessTokenLife)),
	}})
	made.Header["typ"], made.Header["kid"] = authn.AccessTokenType, "user-1"
	token, err := made.SignedString(d.userKey)
	require.NoError(d.t, err)
	return token, userID
}

type answer struct {
	status int
	header http.Header
	text   string
}

// reason is the reason of an error body, which must have the one shape.
func (a answer) reason(t *testing.T) string {
	t.Helper()
	var body struct {
		Error struct {
			Code          int
			Status        string
			Message       string
			CorrelationID string `json:"correlationId"`
			Details       []struct {
				Type   string `json:"@type"`
				Reason string
				Domain string
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(a.text), &body), a.text)
	require.Equal(t, a.status, body.Error.Code, a.text)
	require.NotEmpty(t, body.Error.Message)
	require.NotEmpty(t, body.Error.Status)
	require.Equal(t, a.header.Get("X-Correlation-Id"), body.Error.CorrelationID)
	require.Equal(t, "type.googleapis.com/google.rpc.ErrorInfo", body.Error.Details[0].Type)
	require.Equal(t, "braid", body.Error.Details[0].Domain)
	return body.Error.Details[0].Reason
}

// send sends a request; headers are name and value in turn.
func (d *door) send(method, path, token, body string, headers ...string) answer {
	d.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.URL+path, reader)
	require.NoError(d.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Content-Type" {
			request.Header.Del(headers[i])
		}
		request.Header.Add(headers[i], headers[i+1])
	}
	return d.do(request)
}

func (d *door) do(request *http.Request) answer {
	d.t.Helper()
	response, err := d.client.Do(request)
	require.NoError(d.t, err)
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	require.NoError(d.t, err)
	return answer{status: response.StatusCode, header: response.Header, text: text.String()}
}

// metric is the value of a metric, summed over its labels that match; 0 when there is none.
func (d *door) metric(name string, labels ...string) float64 {
	d.t.Helper()
	families, err := d.registry.Gather()
	require.NoError(d.t, err)
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, measured := range family.GetMetric() {
			matches := true
			for i := 0; i+1 < len(labels); i += 2 {
				found := false
				for _, label := range measured.GetLabel() {
					found = found || label.GetName() == labels[i] && label.GetValue() == labels[i+1]
				}
				matches = matches && found
			}
			if matches {
				total += measured.GetCounter().GetValue() + float64(measured.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}

// gauge is the value of a gauge of one service.
func (d *door) gauge(name, service string) float64 {
	d.t.Helper()
	families, err := d.registry.Gather()
	require.NoError(d.t, err)
	for _, family := range families {
		for _, measured := range family.GetMetric() {
			for _, label := range measured.GetLabel() {
				if family.GetName() == name && label.GetValue() == service {
					return measured.GetGauge().GetValue()
				}
			}
		}
	}
	d.t.Fatalf("no gauge %s of %s", name, service)
	return 0
}
