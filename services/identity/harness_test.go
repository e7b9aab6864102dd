package identity_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/pgtest"
)

const goodPassword = "correct horse battery staple"

// harness is identity as New assembles it, behind its own server and chain, with real keys and a clock that stands.
type harness struct {
	t        *testing.T
	database *pgtest.Database
	clock    *clock.Manual
	registry *prometheus.Registry
	logs     *logBuffer
	url      string
	client   *http.Client
	auth     identityv1connect.AuthServiceClient
	// forwarder is what a gateway proves itself with; see from.
	forwarder *authn.Signer
	invited   *invited
	keyDir    string
	// directory speaks with a service token of notification.
	directory     identityv1connect.DirectoryServiceClient
	service       *service.Service
	authenticator *authn.Authenticator
	material      keyMaterial
	// belongs are the members of organizations with their roles.
	belongs *belongs
}

// keyMaterial is the keys of one installation.
type keyMaterial struct {
	keys        *secret.Keys
	signer      *authn.Signer
	serviceKeys map[string]authn.ServiceKey
}

// logBuffer holds every log line without times and durations, whose digits mean nothing.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newLogger(into *logBuffer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(into, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, attribute slog.Attr) slog.Attr {
			if attribute.Key == slog.TimeKey || attribute.Key == "duration" {
				return slog.Attr{}
			}
			return attribute
		},
	}))
}

func testConfig() identity.Config {
	return identity.Config{
		PasswordMemory: 64 << 10, PasswordIterations: 1, PasswordConcurrency: 4, PasswordQueue: 64,
		PasswordRangeTimeout: time.Second, GuessesPerNetwork: 100, GuessesTotal: 10_000,
		SessionIdleLifetime: 30 * 24 * time.Hour, SessionLifetime: 90 * 24 * time.Hour, SessionsPerUser: 50,
		SigningKeyLifetime: 30 * 24 * time.Hour,
	}
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	return assemble(t, database, database.DB, testConfig())
}

func assemble(t *testing.T, database *pgtest.Database, db *pg.DB, config identity.Config) *harness {
	t.Helper()
	return assembleWith(t, database, db, config, clock.NewManual(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), t.TempDir())
}

// assembleWith is one process; those that share database, clock and keys are one service.
func assembleWith(t *testing.T, database *pgtest.Database, db *pg.DB, config identity.Config, now *clock.Manual, keyDir string) *harness {
	t.Helper()
	h := &harness{
		t: t, database: database, clock: now, keyDir: keyDir,
		registry: prometheus.NewRegistry(), logs: &logBuffer{}, client: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second},
	}
	h.material.keys, h.material.signer, h.material.serviceKeys = makeKeys(t, keyDir, h.clock)
	h.belongs = &belongs{roles: map[[2]id.ID]string{}}
	return h.start(db, config)
}

// twin is another process of the same installation: it shares the database, the keys and the clock.
func (h *harness) twin(config identity.Config) *harness {
	h.t.Helper()
	other := &harness{
		t: h.t, database: h.database, clock: h.clock, registry: prometheus.NewRegistry(), logs: &logBuffer{}, material: h.material, belongs: h.belongs,
		client: &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second},
	}
	return other.start(pgtest.OpenDB(h.t, pg.Config{Service: "identity", URL: h.database.URL}, other.registry), config)
}

func (h *harness) start(db *pg.DB, config identity.Config) *harness {
	t := h.t
	t.Helper()
	t.Cleanup(h.client.CloseIdleConnections)
	logger := newLogger(h.logs)
	var err error
	h.authenticator, err = authn.New(authn.Config{
		UserKeys: h.publicKeys, ServiceKeys: h.material.serviceKeys,
		SessionLive: func(context.Context, id.ID) (bool, error) { return false, errors.New("not asked for while fresh") },
		Fresh:       func() bool { return true },
		Clock:       h.clock, Logger: logger, Registerer: h.registry,
	})
	require.NoError(t, err)
	view, err := h.authenticator.For("identity")
	require.NoError(t, err)
	h.forwarder, h.invited = h.material.signer, &invited{addresses: map[string]string{}, joined: map[string]string{}}
	organization := http.NewServeMux()
	organization.Handle(organizationv1connect.NewInvitedRegistrationServiceHandler(h.invited))
	clients, err := rpc.NewClients(map[string]rpc.Target{"organization": {Handler: organization}}, h.material.signer, h.registry)
	require.NoError(t, err)
	t.Cleanup(clients.Close)
	h.service, err = identity.New(service.Environment{
		Name: "identity", DB: db, Bus: bus.Connection{Brokers: []string{"127.0.0.1:1"}},
		Topics: map[string]bus.Topic{
			"identity":     {Name: bus.EventTopic("identity"), Partitions: 1},
			"organization": {Name: bus.EventTopic("organization"), Partitions: 1},
		},
		Keys: h.material.keys, Authenticator: view, Access: h.access(logger), Clients: clients, PublicURL: "http://braid.test", Clock: h.clock, Logger: logger, Registerer: h.registry,
	}, config)
	require.NoError(t, err)
	for _, part := range h.service.Parts {
		if part.Start != nil {
			require.NoError(t, part.Start(t.Context()))
		}
	}
	server := httptest.NewServer(h.service.Server)
	t.Cleanup(server.Close)
	h.url = server.URL
	h.auth = identityv1connect.NewAuthServiceClient(h.as(""), h.url)
	h.directory = identityv1connect.NewDirectoryServiceClient(bearer{h.client, func() (string, error) {
		return h.material.signer.Token("identity")
	}}, h.url)
	return h
}

func makeKeys(t *testing.T, dir string, clock clock.Clock) (*secret.Keys, *authn.Signer, map[string]authn.ServiceKey) {
	t.Helper()
	require.NoError(t, secret.Init(dir, []string{"identity", "notification"}))
	keys, err := secret.Load(dir, "identity")
	require.NoError(t, err)
	notification, err := secret.Load(dir, "notification")
	require.NoError(t, err)
	public, err := secret.LoadPublic(dir)
	require.NoError(t, err)
	serviceKeys := map[string]authn.ServiceKey{}
	for keyID, key := range public {
		serviceKeys[keyID] = authn.ServiceKey{Service: key.Service, Key: key.Key}
	}
	caller := notification.CallerKey()
	return keys, authn.NewSigner("notification", caller.ID, caller.Private, clock), serviceKeys
}

// publicKeys reads the keys as every process does: from identity itself.
func (h *harness) publicKeys(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	response, err := h.auth.GetJwks(ctx, &identityv1.GetJwksRequest{})
	if err != nil {
		return nil, err
	}
	keys := map[string]ed25519.PublicKey{}
	for _, key := range response.GetKeys() {
		if keys[key.GetKid()], err = base64.RawURLEncoding.DecodeString(key.GetX()); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// as sends a token with each call.
func (h *harness) as(token string) connect.HTTPClient {
	return bearer{h.client, func() (string, error) { return token, nil }}
}

// asService sends a service token of notification with each call.
func (h *harness) asService() connect.HTTPClient {
	return bearer{h.client, func() (string, error) { return h.material.signer.Token("identity") }}
}

type bearer struct {
	client *http.Client
	token  func() (string, error)
}

// from calls as a client at another address, which the gateway vouches for.
func (h *harness) from(address string) identityv1connect.AuthServiceClient {
	return identityv1connect.NewAuthServiceClient(forwarded{h, address}, h.url)
}

type forwarded struct {
	h       *harness
	address string
}

func (f forwarded) Do(request *http.Request) (*http.Response, error) {
	token, err := f.h.forwarder.Token("identity")
	if err != nil {
		return nil, err
	}
	request.Header.Set(rpc.ForwardedForHeader, f.address)
	request.Header.Set(rpc.ForwardedByHeader, token)
	return f.h.client.Do(request)
}

// invited stands for organization.
type invited struct {
	addresses map[string]string
	joined    map[string]string
	down      bool
}

func (i *invited) GetInvitedAddress(_ context.Context, request *organizationv1.GetInvitedAddressRequest) (*organizationv1.GetInvitedAddressResponse, error) {
	email, known := i.addresses[request.GetToken()]
	if !known {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such invitation"))
	}
	return &organizationv1.GetInvitedAddressResponse{Email: email, OrganizationDisplayName: "Analytical Engines"}, nil
}

func (i *invited) JoinInvited(_ context.Context, request *organizationv1.JoinInvitedRequest) (*organizationv1.JoinInvitedResponse, error) {
	if i.down {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("down"))
	}
	i.joined[request.GetUserId()] = request.GetToken()
	return &organizationv1.JoinInvitedResponse{OrganizationId: "the organization"}, nil
}

func (b bearer) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", "test-agent/1.0")
	token, err := b.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return b.client.Do(request)
}

func (h *harness) me(accessToken string) identityv1connect.MeServiceClient {
	return identityv1connect.NewMeServiceClient(h.as(accessToken), h.url)
}

func (h *harness) authAs(accessToken string) identityv1connect.AuthServiceClient {
	return identityv1connect.NewAuthServiceClient(h.as(accessToken), h.url)
}

func (h *harness) directoryAs(token string) identityv1connect.DirectoryServiceClient {
	return identityv1connect.NewDirectoryServiceClient(h.as(token), h.url)
}

// register asks for an account and returns the registration's id, read from the event it caused.
func (h *harness) register(email, password string) string {
	h.t.Helper()
	before := len(h.events())
	_, err := h.auth.Register(h.t.Context(), &identityv1.RegisterRequest{Email: email, Password: password, DisplayName: "Ada"})
	require.NoError(h.t, err)
	events := h.events()
	require.Len(h.t, events, before+1)
	requested, ok := events[before].message.(*identityv1.RegistrationRequested)
	require.True(h.t, ok)
	return requested.GetRegistrationId()
}

func (h *harness) mail(registrationID string) *identityv1.GetRegistrationMailResponse {
	h.t.Helper()
	mail, err := h.directory.GetRegistrationMail(h.t.Context(), &identityv1.GetRegistrationMailRequest{RegistrationId: registrationID})
	require.NoError(h.t, err)
	return mail
}

func (h *harness) verify(email, code string) (*identityv1.User, error) {
	response, err := h.auth.VerifyEmail(h.t.Context(), &identityv1.VerifyEmailRequest{Email: email, Code: code})
	return response.GetUser(), err
}

// signUp makes a user by the way that people go.
func (h *harness) signUp(email string) *identityv1.User {
	h.t.Helper()
	user, err := h.verify(email, h.mail(h.register(email, goodPassword)).GetCode())
	require.NoError(h.t, err)
	return user
}

func (h *harness) login(email, password string) (*identityv1.LoginResponse, error) {
	return h.auth.Login(h.t.Context(), &identityv1.LoginRequest{Email: email, Password: password})
}

func (h *harness) signIn(email string) *identityv1.LoginResponse {
	h.t.Helper()
	response, err := h.login(email, goodPassword)
	require.NoError(h.t, err)
	return response
}

func (h *harness) refresh(token string) (*identityv1.RefreshResponse, error) {
	return h.auth.Refresh(h.t.Context(), &identityv1.RefreshRequest{RefreshToken: token})
}

func (h *harness) active(accessToken string) bool {
	h.t.Helper()
	response, err := h.auth.Validate(h.t.Context(), &identityv1.ValidateRequest{AccessToken: accessToken})
	require.NoError(h.t, err)
	return response.GetActive()
}

type recorded struct {
	eventType, subject, attributes string
	key                            id.ID
	message                        proto.Message
}

// events are the outbox's, in order: nothing publishes them here.
func (h *harness) events() []recorded {
	h.t.Helper()
	rows, err := h.database.Admin.Query(h.t.Context(), `select type, schema, subject, attributes::text, coalesce(key::text, ''), payload from outbox order by position`)
	require.NoError(h.t, err)
	defer rows.Close()
	var events []recorded
	for rows.Next() {
		var event recorded
		var schema, key string
		var payload []byte
		require.NoError(h.t, rows.Scan(&event.eventType, &schema, &event.subject, &event.attributes, &key, &payload))
		kind, err := protoregistry.GlobalTypes.FindMessageByURL(schema)
		require.NoError(h.t, err)
		event.key, event.message = id.ParseOrZero(key), kind.New().Interface()
		require.NoError(h.t, proto.Unmarshal(payload, event.message))
		events = append(events, event)
	}
	require.NoError(h.t, rows.Err())
	return events
}

func (h *harness) count(query string, arguments ...any) int {
	h.t.Helper()
	var count int
	require.NoError(h.t, h.database.Admin.QueryRow(h.t.Context(), query, arguments...).Scan(&count))
	return count
}

// reasonOf returns the reason that an error carries over the wire.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if info, ok := value.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	t.Fatalf("no reason in %v", err)
	return ""
}

// fieldsOf returns the fields that an error is about.
func fieldsOf(t *testing.T, err error) (fields []string) {
	t.Helper()
	var refused *connect.Error
	require.ErrorAs(t, err, &refused)
	for _, detail := range refused.Details() {
		value, err := detail.Value()
		require.NoError(t, err)
		if request, ok := value.(*errdetails.BadRequest); ok {
			for _, violation := range request.GetFieldViolations() {
				fields = append(fields, violation.GetField())
			}
		}
	}
	return fields
}

// otherCode is a code that is not the given one.
func otherCode(code string) string {
	if code == "123456" {
		return "123457"
	}
	return "123456"
}
