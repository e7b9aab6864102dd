package rpctest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// requestTimeout bounds each request of a test; what hangs must fail and not stop the run.
const requestTimeout = 30 * time.Second

// Server is a service's handlers behind the chain, served on loopback until the test ends.
type Server struct {
	*rpc.Server
	Tokens *Tokens
	Roles  *Roles
	// Refusals holds what the chain reported as refused for lack of a permission.
	Refusals *Refusals
	// URL is where it listens, without a slash at the end.
	URL string
	// Client sends requests; it follows no redirects.
	Client   *http.Client
	Registry *prometheus.Registry
	t        testing.TB
}

// NewServer serves what mount mounts: the generated Mount… functions of a service with its handlers. Changes are what the
// chain has differently, such as the test's own clock.
func NewServer(t testing.TB, mount func(*rpc.Server) error, changes ...func(*rpc.ChainConfig)) *Server {
	t.Helper()
	roles, err := NewRoles()
	require.NoError(t, err)
	server := &Server{Tokens: NewTokens(), Roles: roles, Refusals: &Refusals{}, Registry: prometheus.NewRegistry(), t: t}
	key := []byte(id.New().String())
	config := rpc.ChainConfig{
		Authenticator: server.Tokens,
		Authorizer:    server.Roles,
		Refusals:      server.Refusals,
		HashKeyed: func(data []byte) []byte {
			hash := hmac.New(sha256.New, key)
			_, _ = hash.Write(data)
			return hash.Sum(nil)
		},
		Logger:     slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registerer: server.Registry,
	}
	for _, change := range changes {
		change(&config)
	}
	chain, err := rpc.NewChain(config)
	require.NoError(t, err)
	server.Server = rpc.NewServer(chain)
	require.NoError(t, mount(server.Server))

	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	listener := httptest.NewUnstartedServer(server.Server)
	listener.Config.Protocols = protocols
	listener.Start()
	t.Cleanup(listener.Close)
	server.URL = listener.URL
	server.Client = &http.Client{
		Transport:     &http.Transport{},
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(server.Client.CloseIdleConnections)
	return server
}

// SignIn makes up a user with a token, who is a member of the organization with a role; an empty role makes an outsider.
func (s *Server) SignIn(organizationID id.ID, role string) (token string, userID id.ID) {
	s.t.Helper()
	userID = id.New()
	token = "user-" + userID.String()
	s.Tokens.User(token, userID)
	if role != "" {
		s.Roles.Grant(organizationID, userID, role)
	}
	return token, userID
}

// Answer is what came back over REST.
type Answer struct {
	Status int
	Header http.Header
	// Text is the body as it came, Body the object in it; nil when it is none.
	Text string
	Body map[string]any
}

// Reason returns the reason in an error body, "" when it is no error.
func (a Answer) Reason() string {
	reason, _ := a.detail("google.rpc.ErrorInfo")["reason"].(string)
	return reason
}

// Fields returns the names of the fields that a refused request got wrong.
func (a Answer) Fields() []string {
	violations, _ := a.detail("google.rpc.BadRequest")["fieldViolations"].([]any)
	fields := make([]string, 0, len(violations))
	for _, violation := range violations {
		described, _ := violation.(map[string]any)
		field, _ := described["field"].(string)
		fields = append(fields, field)
	}
	return fields
}

// Metadata returns the public facts of an error.
func (a Answer) Metadata() map[string]any {
	metadata, _ := a.detail("google.rpc.ErrorInfo")["metadata"].(map[string]any)
	return metadata
}

func (a Answer) detail(kind string) map[string]any {
	problem, _ := a.Body["error"].(map[string]any)
	details, _ := problem["details"].([]any)
	for _, detail := range details {
		if found, ok := detail.(map[string]any); ok && found["@type"] == "type.googleapis.com/"+kind {
			return found
		}
	}
	return nil
}

// Option changes a request before it is sent.
type Option func(*http.Request)

// Header sets a header.
func Header(name, value string) Option {
	return func(request *http.Request) { request.Header.Set(name, value) }
}

// IdempotencyKey sets the header of that name.
func IdempotencyKey(key string) Option { return Header(rpc.IdempotencyHeader, key) }

// REST sends a request over REST and returns the answer whatever its status. body is sent as JSON: nil for none, a
// string or []byte as it stands, anything else encoded. An empty token sends none.
func (s *Server) REST(method, path, token string, body any, options ...Option) Answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), requestTimeout)
	defer cancel()
	response := s.Do(ctx, method, path, token, body, options...)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	answer := Answer{Status: response.StatusCode, Header: response.Header, Text: string(data)}
	if strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		require.NoError(s.t, json.Unmarshal(data, &answer.Body), "the body is no JSON object: %s", data)
	}
	return answer
}

// Do sends a request over REST and returns the response with its body unread: for streams. The caller closes it.
func (s *Server) Do(ctx context.Context, method, path, token string, body any, options ...Option) *http.Response {
	s.t.Helper()
	var reader io.Reader
	switch typed := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(typed)
	case []byte:
		reader = bytes.NewReader(typed)
	default:
		encoded, err := json.Marshal(typed)
		require.NoError(s.t, err)
		reader = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, reader)
	require.NoError(s.t, err)
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	for _, option := range options {
		option(request)
	}
	response, err := s.Client.Do(request)
	require.NoError(s.t, err)
	return response
}

// As returns what generated Connect clients are made from, sending token with each call:
// workflowv1connect.NewTaskServiceClient(server.As(token)). An empty token sends none.
func (s *Server) As(token string) (connect.HTTPClient, string) {
	return signedClient{client: s.Client, token: token}, s.URL
}

type signedClient struct {
	client *http.Client
	token  string
}

// Do implements connect.HTTPClient.
func (c signedClient) Do(request *http.Request) (*http.Response, error) {
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return c.client.Do(request)
}

// Refusal is one access refused for lack of a permission.
type Refusal struct {
	Work       call.Call
	Permission string
	Reason     string
}

// Refusals remembers what the chain reported. It implements rpc.Refusals.
type Refusals struct {
	mu   sync.Mutex
	list []Refusal
}

// Refused implements rpc.Refusals.
func (r *Refusals) Refused(ctx context.Context, permission, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, Refusal{Work: *call.From(ctx), Permission: permission, Reason: reason})
}

// All returns what was refused so far, the oldest first.
func (r *Refusals) All() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Refusal(nil), r.list...)
}
