package rpctest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestRolesHoldWhatTheContractGivesThem(t *testing.T) {
	t.Parallel()
	roles, err := rpctest.NewRoles()
	require.NoError(t, err)
	organization, user := id.New(), id.New()
	ask := func(permission string) errs.Kind {
		if err := roles.Authorize(t.Context(), organization, user, permission); err != nil {
			return errs.KindOf(err)
		}
		return -1
	}
	const read, create, update = "workflow.task.read", "workflow.task.create", "organization.organization.update"
	require.Equal(t, errs.NotFound, ask(read))
	require.Equal(t, errs.NotFound, ask(""))
	for role, want := range map[string][3]errs.Kind{
		"viewer": {-1, errs.PermissionDenied, errs.PermissionDenied},
		"member": {-1, -1, errs.PermissionDenied},
		"admin":  {-1, -1, -1},
		"owner":  {-1, -1, -1},
	} {
		roles.Grant(organization, user, role)
		require.Equal(t, want, [3]errs.Kind{ask(read), ask(create), ask(update)}, role)
		require.Equal(t, errs.Kind(-1), ask(""))
		require.Equal(t, errs.PermissionDenied, ask("no.such.permission"), "not even an owner holds what the contract does not know")
	}
	require.Equal(t, errs.NotFound, errs.KindOf(roles.Authorize(t.Context(), id.New(), user, read)))
	roles.Remove(organization, user)
	require.Equal(t, errs.NotFound, ask(read))
	roles.Fail(errs.New(errs.Unavailable, "UNAVAILABLE", ""))
	require.Equal(t, errs.Unavailable, ask(read))
	require.Panics(t, func() { roles.Grant(organization, user, "king") })
}

func TestTokensOfUsersAndServicesAreApart(t *testing.T) {
	t.Parallel()
	tokens := rpctest.NewTokens()
	tokens.User("user", id.New())
	tokens.Service("service", "gateway")
	user, err := tokens.AuthenticateUser(t.Context(), "user")
	require.NoError(t, err)
	require.Equal(t, call.User, user.Kind)
	service, err := tokens.AuthenticateService(t.Context(), "service")
	require.NoError(t, err)
	require.Equal(t, "gateway", service.Service)
	for _, ask := range []func() (call.Actor, error){
		func() (call.Actor, error) { return tokens.AuthenticateUser(t.Context(), "service") },
		func() (call.Actor, error) { return tokens.AuthenticateService(t.Context(), "user") },
		func() (call.Actor, error) { return tokens.AuthenticateUser(t.Context(), "") },
	} {
		_, err := ask()
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err))
	}
	tokens.Revoke("user")
	_, err = tokens.AuthenticateUser(t.Context(), "user")
	require.Error(t, err)
	down := errors.New("down")
	tokens.Fail(down)
	_, err = tokens.AuthenticateService(t.Context(), "service")
	require.ErrorIs(t, err, down)
}

type handler struct {
	workflowv1braid.TaskServiceHandler
}

func (handler) GetTask(_ context.Context, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	return &workflowv1.Task{Id: request.GetTaskId()}, nil
}

func TestServerSpeaksRESTAndConnect(t *testing.T) {
	t.Parallel()
	server := rpctest.NewServer(t, func(server *rpc.Server) error { return workflowv1braid.MountTaskService(server, handler{}) })
	organization, task := id.New(), id.New().String()
	token, userID := server.SignIn(organization, "viewer")
	require.False(t, userID.IsZero())

	path := "/api/v1/organizations/" + organization.String() + "/tasks/" + task
	answer := server.REST("GET", path, token, nil)
	require.Equal(t, 200, answer.Status)
	require.Equal(t, task, answer.Body["id"])
	require.Empty(t, answer.Reason())

	answer = server.REST("PATCH", path, token, map[string]any{"title": 5})
	require.Equal(t, 400, answer.Status)
	require.Equal(t, "INVALID_ARGUMENT", answer.Reason())
	require.Equal(t, []string{"title"}, answer.Fields())

	answer = server.REST("DELETE", path, token, nil, rpctest.IdempotencyKey("one"))
	require.Equal(t, 403, answer.Status)
	require.Equal(t, "workflow.task.delete", answer.Metadata()["permission"])
	require.Len(t, server.Refusals.All(), 1)

	got, err := workflowv1connect.NewTaskServiceClient(server.As(token)).GetTask(t.Context(), &workflowv1.GetTaskRequest{OrganizationId: organization.String(), TaskId: task})
	require.NoError(t, err)
	require.Equal(t, task, got.GetId())
}
