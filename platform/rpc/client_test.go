package rpc_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type tokenSource struct{}

func (tokenSource) Token(audience string) (string, error) {
	return "service-token-for-" + audience, nil
}

// newClients returns clients whose services are all at one target.
func newClients(t *testing.T, target rpc.Target) (*rpc.Clients, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	clients, err := rpc.NewClients(map[string]rpc.Target{"workflow": target, "identity": target}, tokenSource{}, registry)
	require.NoError(t, err)
	t.Cleanup(clients.Close)
	return clients, registry
}

// both runs a test over HTTP and in memory: nobody may see a difference.
func both(t *testing.T, run func(t *testing.T, b *bundle, clients *rpc.Clients)) {
	t.Run("in memory", func(t *testing.T) {
		t.Parallel()
		b := newBundle(t)
		clients, _ := newClients(t, rpc.Target{Handler: b})
		run(t, b, clients)
	})
	t.Run("remote", func(t *testing.T) {
		t.Parallel()
		b := newBundle(t)
		clients, _ := newClients(t, rpc.Target{URLs: []string{b.URL + "/"}})
		run(t, b, clients)
	})
}

func TestClientCarriesTheCaller(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bundle, clients *rpc.Clients) {
		b.Tokens.Service("service-token-for-identity", "workflow")
		b.Tokens.Service("service-token-for-workflow", "audit")
		work, _ := b.seen()
		var actor call.Actor
		var address netip.Addr
		b.directory.answer = func(ctx context.Context) (*identityv1.User, error) {
			actor, address = call.From(ctx).Actor, call.From(ctx).ClientAddress
			return &identityv1.User{DisplayName: "Ada"}, nil
		}
		ctx := call.With(t.Context(), &call.Call{
			CorrelationID: "corr-1", Actor: call.Actor{Kind: call.User, UserID: b.user, Token: b.token},
			ClientAddress: netip.MustParseAddr("2001:db8::7"),
		})

		tasks := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow"))
		_, err := tasks.GetTask(ctx, &workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()})
		require.NoError(t, err)
		require.Equal(t, b.user, work.Actor.UserID, "the caller's own token goes along")
		require.Equal(t, "corr-1", work.CorrelationID)
		require.Equal(t, "2001:db8::7", work.ClientAddress.String(), "and where the person is")

		user, err := identityv1connect.NewDirectoryServiceClient(clients.Dial("identity")).GetUser(ctx, &identityv1.GetUserRequest{UserId: id.New().String()})
		require.NoError(t, err)
		require.Equal(t, "Ada", user.GetDisplayName())
		require.Equal(t, call.Actor{Kind: call.Service, Service: "workflow"}, actor, "internal RPCs get a service token and nothing of the user's rights")
		require.Equal(t, "2001:db8::7", address.String())

		// Without a service token behind it, nobody believes the address.
		b.Tokens.Revoke("service-token-for-workflow")
		_, err = tasks.GetTask(ctx, &workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()})
		require.NoError(t, err)
		require.True(t, work.ClientAddress.IsLoopback(), work.ClientAddress)
	})
}

func TestClientBringsErrorsBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bundle, clients *rpc.Clients) {
		b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
			return nil, errs.New(errs.FailedPrecondition, "PROJECT_ARCHIVED", "x")
		}
		ctx := call.With(t.Context(), &call.Call{Actor: call.Actor{Token: b.token}})
		_, err := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow")).GetTask(ctx,
			&workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()})
		requireConnect(t, err, "failed_precondition", "PROJECT_ARCHIVED")
	})
}

func TestClientEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bundle, clients *rpc.Clients) {
		entered, left := make(chan struct{}), make(chan error, 1)
		b.tasks.answer = func(ctx context.Context, _ proto.Message) (*workflowv1.Task, error) {
			close(entered)
			<-ctx.Done()
			left <- ctx.Err()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(call.With(t.Context(), &call.Call{Actor: call.Actor{Token: b.token}}))
		go func() {
			<-entered
			cancel()
		}()
		_, err := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow")).GetTask(ctx,
			&workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()})
		require.Equal(t, connect.CodeCanceled, connect.CodeOf(err))
		requireSoon(t, left)
	})
}

// flaky answers with a status as long as broken is set, and counts.
type flaky struct {
	http.Handler
	broken atomic.Int32
	count  atomic.Int32
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.count.Add(1)
	if f.broken.Load() > 0 {
		f.broken.Add(-1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

func TestClientTriesOnlyReadsAgain(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	service := &flaky{Handler: b}
	clients, registry := newClients(t, rpc.Target{Handler: service})
	ctx := call.With(t.Context(), &call.Call{Actor: call.Actor{Token: b.token}})
	tasks := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow"))
	get := &workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()}

	service.broken.Store(2)
	_, err := tasks.GetTask(ctx, get)
	require.NoError(t, err)
	require.EqualValues(t, 3, service.count.Load())

	service.count.Store(0)
	service.broken.Store(3)
	_, err = tasks.GetTask(ctx, get)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	require.EqualValues(t, 3, service.count.Load())

	service.count.Store(0)
	service.broken.Store(1)
	_, err = tasks.CreateTask(ctx, &workflowv1.CreateTaskRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String(), Title: "x"})
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	require.EqualValues(t, 1, service.count.Load(), "a mutation is never sent twice")

	require.InDelta(t, 6, testutil.ToFloat64(collector(t, registry, "failed")), 0)
	require.InDelta(t, 1, testutil.ToFloat64(collector(t, registry, "answered")), 0)
	metrics := gather(t, registry)
	require.Contains(t, metrics, `braid_rpc_client_retries_total{service="workflow"} 4`)
	require.Contains(t, metrics, `braid_rpc_client_breaker_open{service="workflow"} 0`, "before it was ever open")
}

// collector returns the tries to call the workflow service with an outcome.
func collector(t *testing.T, registry *prometheus.Registry, outcome string) prometheus.Collector {
	t.Helper()
	vector := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "braid_rpc_client_tries_total",
		Help: "Tries to call other services, by service and outcome: answered, failed, timed_out, held_back (the breaker is open).",
	}, []string{"service", "outcome"})
	var already prometheus.AlreadyRegisteredError
	require.ErrorAs(t, registry.Register(vector), &already)
	return already.ExistingCollector.(*prometheus.CounterVec).WithLabelValues("workflow", outcome)
}

// What could not be reached is 503 to whoever asked us, never 500.
func TestUnreachableServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	clients, _ := newClients(t, rpc.Target{URLs: []string{"http://" + closedAddress(t)}})
	directory := identityv1connect.NewDirectoryServiceClient(clients.Dial("identity"))
	b.tasks.answer = func(ctx context.Context, _ proto.Message) (*workflowv1.Task, error) {
		_, err := directory.GetUser(ctx, &identityv1.GetUserRequest{UserId: id.New().String()})
		return nil, errors.Join(errors.New("look up the assignee"), err)
	}
	answer := b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, nil)
	requireOne(t, answer, 503, "UNAVAILABLE")
	require.NotEmpty(t, answer.Header.Get("Retry-After"))
	require.NotContains(t, answer.Text, "127.0.0.1")
}

// closedAddress is one where nobody listens.
func closedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestClientSkipsAFailingAddress(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.Tokens.Service("service-token-for-identity", "workflow")
	b.directory.answer = func(context.Context) (*identityv1.User, error) { return &identityv1.User{}, nil }
	_, _ = b.seen()
	refusing := &flaky{}
	refusing.broken.Store(1 << 20)
	sick := httptest.NewServer(refusing)
	t.Cleanup(sick.Close)
	clients, _ := newClients(t, rpc.Target{URLs: []string{"http://" + closedAddress(t), sick.URL, b.URL}})
	directory := identityv1connect.NewDirectoryServiceClient(clients.Dial("identity"))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := directory.GetUser(t.Context(), &identityv1.GetUserRequest{UserId: id.New().String()}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	// A mutation goes on to the next address when the first one can't have had it.
	clients, _ = newClients(t, rpc.Target{URLs: []string{"http://" + closedAddress(t), b.URL}})
	ctx := call.With(t.Context(), &call.Call{Actor: call.Actor{Token: b.token}})
	_, err := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow")).CreateTask(ctx,
		&workflowv1.CreateTaskRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String(), Title: "x"})
	require.NoError(t, err)
	// It does not when it may have had its effect.
	clients, _ = newClients(t, rpc.Target{URLs: []string{sick.URL, b.URL}})
	_, err = workflowv1connect.NewTaskServiceClient(clients.Dial("workflow")).CreateTask(ctx,
		&workflowv1.CreateTaskRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String(), Title: "x"})
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	before := refusing.count.Load()
	for range 20 {
		_, err := directory.GetUser(t.Context(), &identityv1.GetUserRequest{UserId: id.New().String()})
		require.NoError(t, err)
	}
	require.Equal(t, before, refusing.count.Load(), "the address that works is kept")
}

// A service that keeps failing is left alone for a while, by all clients of it, then tried by one.
func TestBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	service := &flaky{Handler: b}
	clients, registry := newClients(t, rpc.Target{Handler: service})
	ctx := call.With(t.Context(), &call.Call{Actor: call.Actor{Token: b.token}})
	create := func() error {
		tasks := workflowv1connect.NewTaskServiceClient(clients.Dial("workflow"))
		_, err := tasks.CreateTask(ctx, &workflowv1.CreateTaskRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String(), Title: "x"})
		return err
	}
	service.broken.Store(1 << 20)
	for range 10 {
		require.Equal(t, connect.CodeUnavailable, connect.CodeOf(create()))
	}
	require.EqualValues(t, 10, service.count.Load())
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(create()))
	require.EqualValues(t, 10, service.count.Load(), "an open breaker sends nothing")
	require.Contains(t, gather(t, registry), `braid_rpc_client_breaker_open{service="workflow"} 1`)

	service.broken.Store(0)
	require.Eventually(t, func() bool { return create() == nil }, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, create())
	require.Contains(t, gather(t, registry), `braid_rpc_client_breaker_open{service="workflow"} 0`)
}

func TestClientsKnowTheContractOnly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	clients, _ := newClients(t, rpc.Target{Handler: b})
	client, base := clients.Dial("workflow")
	request, err := http.NewRequestWithContext(t.Context(), "POST", base+"/braid.workflow.v1.TaskService/Nothing", nil)
	require.NoError(t, err)
	_, err = client.Do(request)
	require.ErrorContains(t, err, "not in the contract")

	_, err = workflowv1connect.NewTaskServiceClient(clients.Dial("nowhere")).GetTask(t.Context(), &workflowv1.GetTaskRequest{})
	require.ErrorContains(t, err, "no address for service nowhere")
}
