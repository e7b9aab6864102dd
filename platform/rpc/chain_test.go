package rpc_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// Who calls is asked first, then what is asked, then whether they may: a stranger learns nothing of either, and an
// outsider nothing but that there is nothing.
func TestChainKeepsItsOrder(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	const bad = `{"title":""}`
	requireOne(t, b.REST("POST", b.newTasks(), "", bad), 401, "TOKEN_MISSING")
	requireOne(t, b.REST("POST", b.newTasks(), "nobody", bad), 401, "TOKEN_INVALID")
	outsider, _ := b.SignIn(b.organization, "")
	requireOne(t, b.REST("POST", b.newTasks(), outsider, bad), 400, "INVALID_ARGUMENT")
	requireOne(t, b.REST("POST", b.newTasks(), outsider, `{"title":"x"}`), 404, "NOT_FOUND")
	viewer, viewerID := b.SignIn(b.organization, "viewer")
	answer := b.REST("POST", b.newTasks(), viewer, `{"title":"x"}`, rpctest.IdempotencyKey(strings.Repeat("k", 300)))
	requireOne(t, answer, 403, "PERMISSION_DENIED")
	require.Equal(t, map[string]any{"permission": "workflow.task.create"}, answer.Metadata())

	refused := b.Refusals.All()
	require.Len(t, refused, 1, "only members are refused a permission")
	require.Equal(t, "workflow.task.create", refused[0].Permission)
	require.Equal(t, viewerID, refused[0].Work.Actor.UserID)
	require.Equal(t, b.organization, refused[0].Work.OrganizationID)
	require.Equal(t, "/braid.workflow.v1.TaskService/CreateTask", refused[0].Work.Procedure)
}

// Some permissions only the handler can judge, such as that for somebody else's comment.
func TestHandlersRefusalsAreReported(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	path := b.path("/tasks/" + id.New().String())
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		return nil, errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "no").With("permission", "workflow.comment.update")
	}
	requireOne(t, b.REST("GET", path, b.token, nil), 403, "PERMISSION_DENIED")
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		return nil, errs.New(errs.PermissionDenied, "GRANT_EXCEEDS_OWN", "no")
	}
	requireOne(t, b.REST("GET", path, b.token, nil), 403, "GRANT_EXCEEDS_OWN")
	refused := b.Refusals.All()
	require.Len(t, refused, 2)
	require.Equal(t, "workflow.comment.update", refused[0].Permission)
	require.Equal(t, "PERMISSION_DENIED", refused[0].Reason)
	require.Equal(t, "workflow.task.read", refused[1].Permission, "without a name it is the method's")
	require.Equal(t, "GRANT_EXCEEDS_OWN", refused[1].Reason)
	require.Equal(t, b.organization, refused[1].Work.OrganizationID)
}

func TestHandlerSeesWhoAndWhere(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	work, _ := b.seen()
	answer := b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey("one"),
		rpctest.Header("User-Agent", "agent \xff é "+strings.Repeat("x", 1000)))
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, b.organization, work.OrganizationID)
	require.Equal(t, b.user, work.Actor.UserID)
	require.Equal(t, b.token, work.Actor.Token)
	require.Equal(t, answer.Header.Get(rpc.CorrelationHeader), work.CorrelationID)
	require.Equal(t, "one", work.IdempotencyKey)
	require.NotEmpty(t, work.IdempotencyHash)
	require.True(t, strings.HasPrefix(work.UserAgent, "agent  é xxx"), work.UserAgent)
	require.Less(t, len(work.UserAgent), 600)

	first := work.IdempotencyHash
	b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey("one"))
	require.NotEqual(t, first, work.IdempotencyHash, "another project is another request")

	b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, nil, rpctest.IdempotencyKey("one"))
	require.Empty(t, work.IdempotencyKey, "reads take no key")

	b.forbidden(t)
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey(strings.Repeat("k", 256))), 400, "INVALID_ARGUMENT")
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey("\xff")), 400, "INVALID_ARGUMENT")
}

func TestReplayedAnswersSaySo(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.tasks.answer = func(ctx context.Context, _ proto.Message) (*workflowv1.Task, error) {
		call.From(ctx).Replayed = true
		return &workflowv1.Task{}, nil
	}
	answer := b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey("one"))
	require.Equal(t, "true", answer.Header.Get(rpc.ReplayedHeader))
}

func TestCorrelationIsTakenOrMade(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	path := b.path("/tasks/" + id.New().String())
	for _, sent := range []string{"", "with space", "a\"b", strings.Repeat("x", 129), "é"} {
		answer := b.REST("GET", path, b.token, nil, rpctest.Header(rpc.CorrelationHeader, sent))
		made := answer.Header.Get(rpc.CorrelationHeader)
		_, err := id.Parse(made)
		require.NoError(t, err, "%q became %q", sent, made)
	}
	answer := b.REST("GET", path, b.token, nil, rpctest.Header(rpc.CorrelationHeader, "a-B_9.:"))
	require.Equal(t, "a-B_9.:", answer.Header.Get(rpc.CorrelationHeader))
}

// The client's address is the peer's, unless the peer proves to be one of ours.
func TestClientAddressIsTakenFromOursOnly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.Tokens.Service("gateway-token", "gateway")
	work, _ := b.seen()
	path := b.path("/tasks/" + id.New().String())
	for _, sent := range []struct {
		forwardedBy, forwardedFor, want string
	}{
		{"", "203.0.113.7", "127.0.0.1"},
		{"wrong", "203.0.113.7", "127.0.0.1"},
		{b.token, "203.0.113.7", "127.0.0.1"},
		{"gateway-token", "203.0.113.7", "203.0.113.7"},
		{"gateway-token", "203.0.113.7, 10.0.0.1", "203.0.113.7"},
		{"gateway-token", "::ffff:203.0.113.7", "203.0.113.7"},
		{"gateway-token", "2001:db8::1", "2001:db8::1"},
		{"gateway-token", "rubbish", "127.0.0.1"},
		{"gateway-token", "", "127.0.0.1"},
	} {
		answer := b.REST("GET", path, b.token, nil, rpctest.Header(rpc.ForwardedByHeader, sent.forwardedBy), rpctest.Header(rpc.ForwardedForHeader, sent.forwardedFor))
		require.Equal(t, 200, answer.Status)
		require.Equal(t, netip.MustParseAddr(sent.want), work.ClientAddress, "%+v", sent)
	}
}

// One sort of token is never good for the other.
func TestInternalRPCsTakeServicesOnly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.Tokens.Service("service-token", "workflow")
	var actor call.Actor
	b.directory.answer = func(ctx context.Context) (*identityv1.User, error) {
		actor = call.From(ctx).Actor
		return &identityv1.User{}, nil
	}
	ask := func(token string) error {
		_, err := identityv1connect.NewDirectoryServiceClient(b.As(token)).GetUser(t.Context(), &identityv1.GetUserRequest{UserId: id.New().String()})
		return err
	}
	requireConnect(t, ask(""), "unauthenticated", "TOKEN_MISSING")
	requireConnect(t, ask(b.token), "unauthenticated", "TOKEN_INVALID")
	require.NoError(t, ask("service-token"))
	require.Equal(t, call.Actor{Kind: call.Service, Service: "workflow"}, actor)

	b.forbidden(t)
	requireOne(t, b.REST("GET", b.path("/tasks/"+id.New().String()), "service-token", nil), 401, "TOKEN_INVALID")
}

func TestPublicRPCsNeedNoToken(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var actor call.Actor
	b.auth.answer = func(ctx context.Context) error { actor = call.From(ctx).Actor; return nil }
	body := map[string]any{"email": "ada@example.org", "password": "correct horse battery", "displayName": "Ada"}
	answer := b.REST("POST", "/api/v1/auth/register", "", body)
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, call.Anonymous, actor.Kind)
	answer = b.REST("POST", "/api/v1/auth/register", "rubbish", body)
	require.Equal(t, 200, answer.Status, "an old token must not keep anybody from signing in again")
}

func TestWhoCannotBeCheckedIsRefusedForNow(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	path := b.path("/tasks/" + id.New().String())
	b.Roles.Fail(errs.New(errs.Unavailable, "UNAVAILABLE", "x"))
	requireOne(t, b.REST("GET", path, b.token, nil), 503, "UNAVAILABLE")
	b.Roles.Fail(nil)
	b.Tokens.Fail(errs.New(errs.Unavailable, "UNAVAILABLE", "x"))
	answer := b.REST("GET", path, b.token, nil)
	requireOne(t, answer, 503, "UNAVAILABLE")
	require.Equal(t, "1", answer.Header.Get("Retry-After"))
}

func TestPanicsStayInside(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) { panic("secret state") }
	answer := b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, nil)
	requireOne(t, answer, 500, "INTERNAL")
	require.NotContains(t, answer.Text, "secret")
	require.Contains(t, answer.Text, answer.Header.Get(rpc.CorrelationHeader))
}

func TestUnknownErrorsTellNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		return nil, errors.New("password=hunter2")
	}
	answer := b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, nil)
	requireOne(t, answer, 500, "INTERNAL")
	require.NotContains(t, answer.Text, "hunter2")
}

// A handler that waits for ever is ended by the deadline of its call, which reaches it through the context.
func TestDeadlineEndsACall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		catalog, err := rpc.Catalog()
		require.NoError(t, err)
		roles, err := rpctest.NewRoles()
		require.NoError(t, err)
		chain := newChain(t, rpctest.NewTokens(), roles)
		method := catalog["/braid.identity.v1.AuthService/GetJwks"]
		started := time.Now()
		handle := rpc.Unary(rpc.NewServer(chain), method, func(ctx context.Context, _ *identityv1.GetJwksRequest) (*identityv1.GetJwksResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		_, err = handle(t.Context(), &identityv1.GetJwksRequest{})
		var failure *rpc.Failure
		require.ErrorAs(t, err, &failure)
		require.Equal(t, errs.DeadlineExceeded, failure.Problem.Kind)
		require.Equal(t, 10*time.Second, time.Since(started))

		// A caller's own deadline holds when it is earlier, and is not believed when it is an hour away.
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		started = time.Now()
		_, err = handle(ctx, &identityv1.GetJwksRequest{})
		require.Error(t, err)
		require.Equal(t, time.Minute, time.Since(started))
	})
}
