package workflow

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
)

const serviceName = "workflow"

// whole is the service as a process runs it: real tokens and caches, a broker, all its parts.
type whole struct {
	url            string
	broker         bus.Connection
	registry       *prometheus.Registry
	signing        ed25519.PrivateKey
	organizationID id.ID
}

func runWhole(t *testing.T) *whole {
	t.Helper()
	w := &whole{broker: bustest.Connect(t), registry: prometheus.NewRegistry(), organizationID: id.New()}
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	w.signing = private
	logger := bustest.Logger(t)
	directory := t.TempDir() + "/keys"
	require.NoError(t, secret.Init(directory, []string{serviceName}))
	keys, err := secret.Load(directory, serviceName)
	require.NoError(t, err)
	authenticator, err := authn.New(authn.Config{
		UserKeys: func(context.Context) (map[string]ed25519.PublicKey, error) {
			return map[string]ed25519.PublicKey{"test": public}, nil
		},
		SessionLive: func(context.Context, id.ID) (authn.SessionState, error) { return authn.SessionState{Live: true}, nil },
		Fresh:       func() bool { return true }, Clock: clock.System{}, Logger: logger, Registerer: w.registry,
	})
	require.NoError(t, err)
	view, err := authenticator.For(serviceName)
	require.NoError(t, err)
	access, err := authz.New(authz.Config{
		Source: func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
			return authz.Answer{Member: true, RoleIDs: []string{"owner"}}, nil
		},
		Fresh: func() bool { return true }, Clock: clock.System{}, Logger: logger, Registerer: w.registry,
	})
	require.NoError(t, err)
	built, err := New(service.Environment{
		Name: serviceName, DB: pgtest.Open(t, serviceName, Migrations()...).DB, Bus: w.broker,
		Topics: map[string]bus.Topic{
			serviceName:    {Name: bus.EventTopic(serviceName), Partitions: 1},
			"organization": {Name: bus.EventTopic("organization"), Partitions: 1},
			"identity":     {Name: bus.EventTopic("identity"), Partitions: 1},
		},
		Keys: keys, Authenticator: view, Access: access, Clock: clock.System{}, Logger: logger, Registerer: w.registry,
	}, Config{ChangeRetention: time.Hour, WatchHeartbeat: time.Second, MaxStreams: 10, MaxStreamsPerUser: 10})
	require.NoError(t, err)
	manager := module.New(module.Options{}, logger)
	manager.Add(built.Parts...)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- manager.Run(ctx) }()
	listener := httptest.NewServer(built.Server)
	w.url = listener.URL
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("run parts: %v", err)
		}
		listener.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	require.Eventually(t, func() bool {
		for _, err := range manager.Ready() {
			if err != nil {
				return false
			}
		}
		return true
	}, patience, 10*time.Millisecond)
	return w
}

// as returns what clients of a user are made from.
func (w *whole) as(t *testing.T, userID id.ID) signedClient {
	now := time.Now()
	unsigned := jwt.NewWithClaims(jwt.SigningMethodEdDSA, authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: userID.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
		},
		SessionID: id.New().String(),
	})
	unsigned.Header["typ"], unsigned.Header["kid"] = authn.AccessTokenType, "test"
	token, err := unsigned.SignedString(w.signing)
	require.NoError(t, err)
	return signedClient{token}
}

type signedClient struct{ token string }

func (s signedClient) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("Authorization", "Bearer "+s.token)
	return http.DefaultClient.Do(request)
}

// One change goes all the way: over the API into the database, to whoever watches, and to the topic; and an event of
// another service comes all the way back.
func TestTheServiceRunsWhole(t *testing.T) {
	t.Parallel()
	w := runWhole(t)
	reporter, assignee := id.New(), id.New()
	client := w.as(t, reporter)
	projects := workflowv1connect.NewProjectServiceClient(client, w.url)
	tasks := workflowv1connect.NewTaskServiceClient(client, w.url)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	organizationID := w.organizationID.String()

	project, err := projects.CreateProject(ctx, &workflowv1.CreateProjectRequest{OrganizationId: organizationID, Key: "WEB", DisplayName: "Site"})
	require.NoError(t, err)
	watching, err := projects.WatchProject(ctx, &workflowv1.WatchProjectRequest{OrganizationId: organizationID, ProjectId: project.GetId()})
	require.NoError(t, err)
	defer func() { _ = watching.Close() }()
	require.True(t, watching.Receive(), watching.Err())
	require.Equal(t, project.GetId(), watching.Msg().GetSnapshot().GetProject().GetId())

	task, err := tasks.CreateTask(ctx, &workflowv1.CreateTaskRequest{
		OrganizationId: organizationID, ProjectId: project.GetId(), Title: "Paint", AssigneeId: assignee.String(),
	})
	require.NoError(t, err)
	next := func() *workflowv1.ProjectChange {
		for watching.Receive() {
			if change := watching.Msg().GetChange(); change != nil {
				return change
			}
		}
		require.NoError(t, errors.Join(watching.Err(), errors.New("the stream has ended")))
		return nil
	}
	created := next()
	require.Equal(t, "task.created", created.GetType())
	require.Equal(t, reporter.String(), created.GetActorId())
	require.True(t, proto.Equal(task, created.GetTask()))

	producer, err := bus.NewProducer(w.broker, bustest.Logger(t))
	require.NoError(t, err)
	defer producer.Close()
	data, err := proto.Marshal(&organizationv1.MemberRemoved{OrganizationId: organizationID, UserId: assignee.String()})
	require.NoError(t, err)
	record, err := bus.Encode(bus.EventTopic("organization"), bus.Event{
		ID: id.New(), Type: "organization.member.removed", Source: bus.Source("organization"), Subject: "member/" + assignee.String(),
		Time: clock.System{}.Now(), Schema: "braid.organization.v1.MemberRemoved", OrganizationID: w.organizationID,
		Actor: call.Actor{Kind: call.User, UserID: reporter}, CorrelationID: "removal", Data: data, Key: []byte(organizationID),
	})
	require.NoError(t, err)
	require.NoError(t, errors.Join(producer.Publish(ctx, record)...))
	assigned := next()
	require.Equal(t, "task.assigned", assigned.GetType())
	require.Empty(t, assigned.GetTask().GetAssigneeId())
	require.Empty(t, assigned.GetActorId())
	require.Equal(t, created.GetRevision()+1, assigned.GetRevision())
	unassigned, err := tasks.GetTask(ctx, &workflowv1.GetTaskRequest{OrganizationId: organizationID, TaskId: task.GetId()})
	require.NoError(t, err)
	require.Empty(t, unassigned.GetAssigneeId())

	problems, err := testutil.GatherAndLint(w.registry, "braid_workflow_watch_streams", "braid_workflow_watch_changes_total",
		"braid_workflow_watch_snapshots_total", "braid_workflow_watch_reads_total", "braid_workflow_watch_failures_total",
		"braid_workflow_watch_delay_seconds")
	require.NoError(t, err)
	require.Empty(t, problems)
}
