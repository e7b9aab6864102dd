package audit

import (
	"context"
	"crypto/ed25519"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "github.com/braidhq/braid/gen/go/braid/audit/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/audit/internal/consumer"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

func TestEveryTopicButItsOwnIsConsumed(t *testing.T) {
	t.Parallel()
	topics := map[string]bus.Topic{"workflow": {}, "audit": {}, "identity": {}, "notification": {}}
	require.Equal(t, []string{"identity", "notification", "workflow"}, consumer.Sources(topics, Name))
}

// The service as a process runs it: real tokens, a broker, its parts running. What is on the topics of others comes to
// be in the trail; what the audit itself publishes does not.
func TestTheServiceRunsWhole(t *testing.T) {
	t.Parallel()
	broker, logger, registry := bustest.Connect(t), pgtest.Logger(t), prometheus.NewRegistry()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	dir := t.TempDir() + "/keys"
	require.NoError(t, secret.Init(dir, []string{Name}))
	keys, err := secret.Load(dir, Name)
	require.NoError(t, err)
	authenticator, err := authn.New(authn.Config{
		UserKeys: func(context.Context) (map[string]ed25519.PublicKey, error) {
			return map[string]ed25519.PublicKey{"test": public}, nil
		},
		ServiceKeys: map[string]authn.ServiceKey{},
		SessionLive: func(context.Context, id.ID) (authn.SessionState, error) { return authn.SessionState{Live: true}, nil },
		Fresh:       func() bool { return true }, Clock: clock.System{}, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	view, err := authenticator.For(Name)
	require.NoError(t, err)
	acme, ada := id.New(), id.New()
	access, err := authz.New(authz.Config{
		Clock: clock.System{},
		Source: func(_ context.Context, organizationID, userID id.ID, _ int64) (authz.Answer, error) {
			member := organizationID == acme && userID == ada
			return authz.Answer{Member: member, RoleIDs: []string{"owner"}}, nil
		},
		Fresh: func() bool { return true }, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	topics := map[string]bus.Topic{}
	for _, name := range []string{Name, "identity", "organization", "workflow", "notification"} {
		topics[name] = bus.Topic{Name: bus.EventTopic(name), Partitions: 2, Retention: time.Hour}
	}
	built, err := New(service.Environment{
		Name: Name, DB: pgtest.Open(t, Name, Migrations()...).DB, Bus: broker, Topics: topics, Keys: keys,
		Authenticator: view, Access: access, PublicURL: "http://braid.test", Clock: clock.System{}, Logger: logger, Registerer: registry,
	}, Config{})
	require.NoError(t, err)
	run(t, built)

	joining, login, task := joined(t, acme, ada, 1), loginFailed(t, ada, 2), created(t, acme, 3)
	own := newEvent(t, Name, acme, "member/"+ada.String(), 4, &platformv1.AccessRefused{Permission: "audit.event.read"})
	nobody := newEvent(t, "organization", acme, "member/x", 1, &organizationv1.MemberAdded{OrganizationId: acme.String(), UserId: "nobody"})
	refused := newEvent(t, "notification", acme, "member/"+ada.String(), 5, &platformv1.AccessRefused{Permission: "x"})
	publish(t, broker, map[string][]bus.Event{
		"identity": {login}, "organization": {nobody, joining}, "workflow": {task, task}, Name: {own}, "notification": {refused},
	})
	token := sign(t, private, ada)
	var listed *auditv1.ListAuditEventsResponse
	require.Eventually(t, func() bool {
		request := httptest.NewRequestWithContext(t.Context(), "GET", trail(acme), nil)
		request.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		built.Server.ServeHTTP(answer, request)
		require.Equal(t, 200, answer.Code, answer.Body.String())
		listed = &auditv1.ListAuditEventsResponse{}
		require.NoError(t, protojson.Unmarshal(answer.Body.Bytes(), listed))
		return len(listed.GetAuditEvents()) >= 4
	}, patience, 20*time.Millisecond)
	var got []string
	for _, record := range listed.GetAuditEvents() {
		got = append(got, record.GetEventId())
	}
	require.Equal(t, idsOf(refused, task, login, joining), got)
}

func run(t *testing.T, built *service.Service) {
	t.Helper()
	manager := module.New(module.Options{}, pgtest.Logger(t))
	manager.Add(built.Parts...)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run parts: %v", err)
		}
	})
	require.Eventually(t, func() bool {
		for _, err := range manager.Ready() {
			if err != nil {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
}

func publish(t *testing.T, broker bus.Connection, events map[string][]bus.Event) {
	t.Helper()
	producer, err := bus.NewProducer(broker, pgtest.Logger(t))
	require.NoError(t, err)
	defer producer.Close()
	for service, list := range events {
		for _, event := range list {
			record, err := bus.Encode(bus.EventTopic(service), event)
			require.NoError(t, err)
			for _, err := range producer.Publish(t.Context(), record) {
				require.NoError(t, err)
			}
		}
	}
}

// sign returns an access token as identity signs it.
func sign(t *testing.T, key ed25519.PrivateKey, userID id.ID) string {
	t.Helper()
	now := time.Now()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: userID.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		},
		SessionID: id.New().String(),
	})
	unsigned.Header["typ"], unsigned.Header["kid"] = authn.AccessTokenType, "test"
	token, err := unsigned.SignedString(key)
	require.NoError(t, err)
	return token
}
