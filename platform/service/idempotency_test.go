package service_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/testkit/pgtest"
)

const name = "workflow"

// tasks makes tasks that are kept nowhere.
type tasks struct {
	workflowv1braid.TaskServiceHandler
	runner idempotency.Runner
}

func (s tasks) CreateTask(ctx context.Context, request *workflowv1.CreateTaskRequest) (*workflowv1.Task, error) {
	return idempotency.Run(ctx, s.runner, func(context.Context, *pg.Tx) (*workflowv1.Task, error) {
		return &workflowv1.Task{Id: id.New().String(), Title: request.GetTitle()}, nil
	})
}

// caller is somebody who may do everything, with the key that signs their token.
type caller struct {
	userID id.ID
	key    ed25519.PrivateKey
}

func newCaller(t *testing.T) caller {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return caller{userID: id.New(), key: key}
}

func (c caller) token(t *testing.T) string {
	t.Helper()
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{SessionID: id.New().String(), RegisteredClaims: jwt.RegisteredClaims{
		Subject: c.userID.String(), Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	}})
	token.Header["typ"], token.Header["kid"] = authn.AccessTokenType, "one"
	signed, err := token.SignedString(c.key)
	require.NoError(t, err)
	return signed
}

// assemble builds the service on the keys of a directory, as a process does.
func assemble(t *testing.T, database *pg.DB, who caller, keyDirectory string) *service.Service {
	t.Helper()
	require.NoError(t, secret.Init(keyDirectory, []string{name}))
	keys, err := secret.Load(keyDirectory, name)
	require.NoError(t, err)
	fresh, registry, logger := func() bool { return true }, prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	authenticator, err := authn.New(authn.Config{
		UserKeys: func(context.Context) (map[string]ed25519.PublicKey, error) {
			return map[string]ed25519.PublicKey{"one": who.key.Public().(ed25519.PublicKey)}, nil
		},
		Fresh: fresh, Clock: clock.System{}, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	view, err := authenticator.For(name)
	require.NoError(t, err)
	access, err := authz.New(authz.Config{
		Clock: clock.System{},
		Source: func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
			return authz.Answer{Member: true, RoleIDs: []string{"member"}}, nil
		},
		Fresh: fresh, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	built, err := service.New(service.Environment{
		Name: name, DB: database, Bus: bus.Connection{Brokers: []string{"127.0.0.1:1"}},
		Topics: map[string]bus.Topic{name: {Name: bus.EventTopic(name)}}, Keys: keys,
		Authenticator: view, Access: access, Clock: clock.System{}, Logger: logger, Registerer: registry,
	}, service.Options{})
	require.NoError(t, err)
	require.NoError(t, workflowv1braid.MountTaskService(built.Server, tasks{runner: built.Runner}))
	t.Cleanup(func() {
		// A relay holds a connection to the broker until it has run.
		ended, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		cancel()
		relay := slices.IndexFunc(built.Parts, func(part module.Part) bool { return part.Name == name+".relay" })
		require.NoError(t, built.Parts[relay].Run(ended))
	})
	return built
}

// create asks for a task with an idempotency key and returns the answer.
func create(t *testing.T, at *service.Service, token string, wanted *workflowv1.CreateTaskRequest, idempotencyKey string) *httptest.ResponseRecorder {
	t.Helper()
	path := "/api/v1/organizations/" + wanted.GetOrganizationId() + "/projects/" + wanted.GetProjectId() + "/tasks"
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(`{"title":"`+wanted.GetTitle()+`"}`))
	for header, value := range map[string]string{
		"Content-Type": "application/json", "Authorization": "Bearer " + token, "Idempotency-Key": idempotencyKey,
	} {
		request.Header.Set(header, value)
	}
	recorder := httptest.NewRecorder()
	at.Server.ServeHTTP(recorder, request)
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	return recorder
}

// A stolen database must not tell what was asked for, not even to somebody who tries out guesses: what is stored of a
// request is a hash that takes the service's key.
func TestRequestIsStoredAsAKeyedHash(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, name, outbox.Migrations(), idempotency.Migrations())
	who, directory := newCaller(t), t.TempDir()
	token, wanted := who.token(t), &workflowv1.CreateTaskRequest{
		OrganizationId: id.New().String(), ProjectId: id.New().String(), Title: "canary of the body",
	}
	one, another := assemble(t, database.DB, who, directory), assemble(t, database.DB, who, directory)
	first := create(t, one, token, wanted, "one")
	again := create(t, another, token, wanted, "one")
	require.Equal(t, "true", again.Header().Get("Idempotency-Replayed"), "processes with the same keys know each other's requests")
	require.JSONEq(t, first.Body.String(), again.Body.String())
	create(t, assemble(t, database.DB, who, t.TempDir()), token, wanted, "other")

	hashes := map[string][]byte{}
	for _, key := range []string{"one", "other"} {
		var hash []byte
		require.NoError(t, database.Admin.QueryRow(t.Context(), `select request_hash from idempotency where key = $1`, key).Scan(&hash))
		require.Len(t, hash, secret.KeySize)
		hashes[key] = hash
	}
	require.NotEqual(t, hashes["one"], hashes["other"], "the same request under two keys")
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(wanted)
	require.NoError(t, err)
	for _, guess := range [][]byte{encoded, []byte(`{"title":"` + wanted.GetTitle() + `"}`), []byte(wanted.GetTitle())} {
		plain := sha256.Sum256(guess)
		require.NotEqual(t, plain[:], hashes["one"])
		require.NotContains(t, string(hashes["one"]), string(guess))
	}
}
