package organization

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

// process is the service as a process runs it: real tokens, permissions asked of itself, a broker, its parts running.
type process struct {
	t       *testing.T
	server  http.Handler
	broker  bus.Connection
	signing ed25519.PrivateKey
	people  *identity
}

// identity is the other service: its directory.
type identity struct {
	identityv1connect.UnimplementedDirectoryServiceHandler

	mu    sync.Mutex
	names map[string]string
}

// GetUser implements identityv1connect.DirectoryServiceHandler.
func (i *identity) GetUser(_ context.Context, request *identityv1.GetUserRequest) (*identityv1.User, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	name, ok := i.names[request.GetUserId()]
	if !ok {
		return nil, connect.NewError(connect.CodeNotFound, errors.New("no such user"))
	}
	return &identityv1.User{Id: request.GetUserId(), DisplayName: name, Email: name + "@example.com"}, nil
}

func startProcess(t *testing.T) *process {
	t.Helper()
	started := &process{t: t, broker: bustest.Connect(t), people: &identity{names: map[string]string{}}}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	started.signing = private
	logger, registry := pgtest.Logger(t), prometheus.NewRegistry()

	dir := t.TempDir() + "/keys"
	require.NoError(t, secret.Init(dir, []string{Name}))
	keys, err := secret.Load(dir, Name)
	require.NoError(t, err)
	caller := keys.CallerKey()
	authenticator, err := authn.New(authn.Config{
		UserKeys: func(context.Context) (map[string]ed25519.PublicKey, error) {
			return map[string]ed25519.PublicKey{"test": public}, nil
		},
		ServiceKeys: map[string]authn.ServiceKey{caller.ID: {Service: Name, Key: caller.Private.Public().(ed25519.PublicKey)}},
		SessionLive: func(context.Context, id.ID) (authn.SessionState, error) { return authn.SessionState{Live: true}, nil },
		Fresh:       func() bool { return true }, Clock: clock.System{}, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	view, err := authenticator.For(Name)
	require.NoError(t, err)

	directory := http.NewServeMux()
	directory.Handle(identityv1connect.NewDirectoryServiceHandler(started.people))
	clients, err := rpc.NewClients(map[string]rpc.Target{
		"identity": {Handler: directory},
		Name:       {Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { started.server.ServeHTTP(w, r) })},
	}, authn.NewSigner(Name, caller.ID, caller.Private, clock.System{}), registry)
	require.NoError(t, err)
	owner := organizationv1connect.NewAccessServiceClient(clients.Dial(Name))
	access, err := authz.New(authz.Config{
		Source: func(ctx context.Context, organizationID, userID id.ID, knownRoles int64) (authz.Answer, error) {
			answer, err := owner.GetEffectivePermissions(ctx, &organizationv1.GetEffectivePermissionsRequest{
				OrganizationId: organizationID.String(), UserId: userID.String(), KnownRolesRevision: knownRoles,
			})
			if err != nil {
				return authz.Answer{}, err
			}
			return authz.AnswerOf(answer), nil
		},
		Fresh: func() bool { return true }, Clock: clock.System{}, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)

	built, err := New(service.Environment{
		Name: Name, DB: pgtest.Open(t, Name, Migrations()...).DB, Bus: started.broker,
		Topics: map[string]bus.Topic{Name: {Name: bus.EventTopic(Name), Partitions: 1}, "identity": {Name: bus.EventTopic("identity"), Partitions: 1}},
		Keys:   keys, Authenticator: view, Access: access, Clients: clients, PublicURL: "http://braid.test",
		Clock: clock.System{}, Logger: logger, Registerer: registry,
	}, Config{})
	require.NoError(t, err)
	started.server = built.Server
	started.run(built)
	return started
}

// run runs the service's parts until the test ends, and lets it fail when one of them does.
func (p *process) run(built *service.Service) {
	manager := module.New(module.Options{}, pgtest.Logger(p.t))
	manager.Add(built.Parts...)
	ctx, stop := context.WithCancel(context.WithoutCancel(p.t.Context()))
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx) }()
	p.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			p.t.Errorf("run parts: %v", err)
		}
	})
	require.Eventually(p.t, func() bool {
		for _, err := range manager.Ready() {
			if err != nil {
				return false
			}
		}
		return true
	}, 30*time.Second, 20*time.Millisecond)
}

// signIn makes up a user and a token as identity signs it.
func (p *process) signIn(name string) (token string, userID id.ID) {
	userID = id.New()
	p.people.mu.Lock()
	p.people.names[userID.String()] = name
	p.people.mu.Unlock()
	return p.sign(userID), userID
}

func (p *process) sign(userID id.ID) string {
	now := time.Now()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: userID.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		},
		SessionID: id.New().String(),
	})
	unsigned.Header["typ"], unsigned.Header["kid"] = authn.AccessTokenType, "test"
	token, err := unsigned.SignedString(p.signing)
	require.NoError(p.t, err)
	return token
}

func (p *process) send(method, path, token, body string) (int, map[string]any) {
	p.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = bytes.NewBufferString(body)
	}
	request := httptest.NewRequestWithContext(p.t.Context(), method, path, reader)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	p.server.ServeHTTP(recorder, request)
	var answer map[string]any
	require.NoError(p.t, json.Unmarshal(recorder.Body.Bytes(), &answer), recorder.Body.String())
	return recorder.Code, answer
}

func TestTheServiceRunsWhole(t *testing.T) {
	t.Parallel()
	running := startProcess(t)
	ada, adaID := running.signIn("ada")
	ben, _ := running.signIn("ben")
	status, created := running.send("POST", "/api/v1/organizations", ada, `{"displayName":"Acme"}`)
	require.Equal(t, 200, status, created)
	path := "/api/v1/organizations/" + created["id"].(string)

	status, _ = running.send("GET", path, ada, "")
	require.Equal(t, 200, status, "a new owner can act at once")
	status, _ = running.send("GET", path, ben, "")
	require.Equal(t, 404, status)
	ghost := running.sign(id.New())
	status, _ = running.send("POST", "/api/v1/organizations", ghost, `{"displayName":"Ghosts"}`)
	require.Equal(t, 404, status, "identity knows no such user")

	require.Eventually(t, func() bool { return len(running.published()) == 2 }, 20*time.Second, 20*time.Millisecond)
	published := running.published()
	require.Equal(t, "organization.organization.created", published[0].Type)
	require.Equal(t, "organization.member.added", published[1].Type)
	for _, event := range published {
		require.Equal(t, created["id"], event.OrganizationID.String())
		require.Equal(t, created["id"], string(event.Key), "one organization is one partition")
		require.Equal(t, adaID, event.Actor.UserID)
	}

	running.publish(&identityv1.UserUpdated{UserId: adaID.String(), DisplayName: "Ada L.", Email: "ada@example.com", Revision: 2})
	require.Eventually(t, func() bool {
		_, answer := running.send("GET", path+"/members", ada, "")
		return answer["members"].([]any)[0].(map[string]any)["displayName"] == "Ada L."
	}, 20*time.Second, 20*time.Millisecond)
}

// published returns what is on the service's topic.
func (p *process) published() []bus.Event {
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	var events []bus.Event
	err := bus.ReadTopic(ctx, p.broker, bus.EventTopic(Name), pgtest.Logger(p.t), func(record bus.Record) error {
		event, err := bus.Decode(record)
		events = append(events, event)
		return err
	})
	if err != nil {
		return nil
	}
	return events
}

// publish puts an event on identity's topic, as its relay does.
func (p *process) publish(message proto.Message) {
	p.t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(p.t, err)
	record, err := bus.Encode(bus.EventTopic("identity"), bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Source: bus.Source("identity"), Subject: "user/" + id.New().String(),
		Time: clock.System{}.Now(), Schema: string(message.ProtoReflect().Descriptor().FullName()),
		Actor: call.Actor{Kind: call.System}, Data: data,
	})
	require.NoError(p.t, err)
	producer, err := bus.NewProducer(p.broker, pgtest.Logger(p.t))
	require.NoError(p.t, err)
	defer producer.Close()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	for _, err := range producer.Publish(ctx, record) {
		require.NoError(p.t, err)
	}
}

func TestTheDirectoryTellsAbsenceFromSilence(t *testing.T) {
	t.Parallel()
	for code, want := range map[connect.Code]errs.Kind{
		connect.CodeNotFound: errs.NotFound, connect.CodeUnavailable: errs.Unavailable,
		connect.CodeInternal: errs.Unavailable, connect.CodeUnauthenticated: errs.Unavailable,
	} {
		_, err := directory{failing{err: connect.NewError(code, errors.New("no"))}}.GetPerson(t.Context(), id.New())
		require.Equal(t, want, errs.KindOf(err), code)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := directory{failing{err: fmt.Errorf("ask: %w", context.Canceled)}}.GetPerson(ctx, id.New())
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, errs.ErrNotFound)
}

// failing is a directory that can't answer.
type failing struct {
	identityv1connect.DirectoryServiceClient
	err error
}

// GetUser implements identityv1connect.DirectoryServiceClient.
func (f failing) GetUser(context.Context, *identityv1.GetUserRequest) (*identityv1.User, error) {
	return nil, f.err
}

func TestEveryMethodOfTheContractIsServed(t *testing.T) {
	t.Parallel()
	catalog, err := rpc.Catalog()
	require.NoError(t, err)
	served := map[string]bool{}
	for _, method := range setup(t).Procedures() {
		served[method.Procedure] = true
	}
	for procedure, method := range catalog {
		require.Equal(t, method.Service == Name, served[procedure], procedure)
	}
}
