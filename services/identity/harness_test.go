package identity_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
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
	owned     *owned
	keyDir    string
	// directory speaks with a service token of notification.
	directory     identityv1connect.DirectoryServiceClient
	service       *service.Service
	authenticator *authn.Authenticator
	material      keyMaterial
	// roles are who may do what in which organization.
	roles  *rpctest.Roles
	access *authz.Access
	// credentials speaks with a service token of notification.
	credentials identityv1connect.CredentialServiceClient
	// serviceToken proves to identity that notification calls.
	serviceToken func() (string, error)
	// belongs are the members of organizations with their roles.
	belongs *belongs
	// granted is what organizations have let operators in for.
	granted *granted
	// elsewhere is what organization holds of people.
	elsewhere *elsewhere
	clients   *rpc.Clients
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
		SigningKeyLifetime: 30 * 24 * time.Hour, DeletionGrace: 7 * 24 * time.Hour,
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
		SessionLive: func(ctx context.Context, sessionID id.ID) (authn.SessionState, error) {
			state, err := h.directory.GetSessionState(ctx, &identityv1.GetSessionStateRequest{SessionId: sessionID.String()})
			return authn.SessionState{Live: state.GetLive(), Weak: state.GetWeak()}, err
		},
		PublicURL:   "http://braid.test",
		Credentials: lateCredentials{h},
		Fresh:       func() bool { return true },
		Clock:       h.clock, Logger: logger, Registerer: h.registry,
	})
	require.NoError(t, err)
	view, err := h.authenticator.For("identity")
	require.NoError(t, err)
	h.forwarder, h.invited = h.material.signer, &invited{addresses: map[string]string{}, joined: map[string]string{}}
	organization := http.NewServeMux()
	organization.Handle(organizationv1connect.NewInvitedRegistrationServiceHandler(h.invited))
	h.granted = &granted{}
	organization.Handle(organizationv1connect.NewSupportAccessServiceHandler(h.granted))
	h.owned = &owned{organizations: map[string][]string{}}
	organization.Handle(organizationv1connect.NewSoleOwnershipServiceHandler(h.owned))
	h.elsewhere = &elsewhere{items: map[string][]string{}}
	h.elsewhere.mount(organization, "organization")
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.service.Server.ServeHTTP(w, r) })
	clients, err := rpc.NewClients(map[string]rpc.Target{"organization": {Handler: organization}, "identity": {Handler: own}}, h.material.signer, h.registry)
	require.NoError(t, err)
	t.Cleanup(clients.Close)
	h.clients = clients
	h.roles, err = rpctest.NewRoles()
	require.NoError(t, err)
	h.access, err = authz.New(authz.Config{
		Source: h.effective, Fresh: func() bool { return true }, Clock: h.clock, Logger: logger, Registerer: h.registry,
	})
	require.NoError(t, err)
	h.service, err = identity.New(service.Environment{
		Name: "identity", DB: db, Bus: bus.Connection{Brokers: []string{"127.0.0.1:1"}},
		Topics: map[string]bus.Topic{
			"identity":     {Name: bus.EventTopic("identity"), Partitions: 1},
			"organization": {Name: bus.EventTopic("organization"), Partitions: 1},
		},
		Keys: h.material.keys, Authenticator: view, Access: h.access, Clients: clients, PublicURL: "http://braid.test", Clock: h.clock, Logger: logger, Registerer: h.registry,
	}, config)
	require.NoError(t, err)
	for _, part := range h.service.Parts {
		// Jobs are worked by the tests that are about them.
		if part.Start != nil && part.Name != "identity.jobs" {
			require.NoError(t, part.Start(t.Context()))
		}
	}
	server := httptest.NewServer(h.service.Server)
	t.Cleanup(server.Close)
	h.url = server.URL
	h.auth = identityv1connect.NewAuthServiceClient(h.as(""), h.url)
	h.serviceToken = func() (string, error) { return h.material.signer.Token("identity") }
	h.directory = identityv1connect.NewDirectoryServiceClient(bearer{h.client, h.serviceToken}, h.url)
	h.credentials = identityv1connect.NewCredentialServiceClient(bearer{h.client, h.serviceToken}, h.url)
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
