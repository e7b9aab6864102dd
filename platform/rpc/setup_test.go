package rpc_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1braid"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// The contract's own services serve as the example; their handlers here only tell what reached them.
type taskHandler struct {
	workflowv1braid.TaskServiceHandler
	// answer is called by every method of interest with what came; nil answers with an empty task.
	answer func(ctx context.Context, request proto.Message) (*workflowv1.Task, error)
}

func (h *taskHandler) reply(ctx context.Context, request proto.Message) (*workflowv1.Task, error) {
	if h.answer == nil {
		return &workflowv1.Task{}, nil
	}
	return h.answer(ctx, request)
}

func (h *taskHandler) CreateTask(ctx context.Context, request *workflowv1.CreateTaskRequest) (*workflowv1.Task, error) {
	return h.reply(ctx, request)
}

func (h *taskHandler) GetTask(ctx context.Context, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	return h.reply(ctx, request)
}

func (h *taskHandler) UpdateTask(ctx context.Context, request *workflowv1.UpdateTaskRequest) (*workflowv1.Task, error) {
	return h.reply(ctx, request)
}

func (h *taskHandler) ListTasks(ctx context.Context, request *workflowv1.ListTasksRequest) (*workflowv1.ListTasksResponse, error) {
	_, err := h.reply(ctx, request)
	return &workflowv1.ListTasksResponse{}, err
}

type projectHandler struct {
	workflowv1braid.ProjectServiceHandler
	watch func(context.Context, *workflowv1.WatchProjectRequest, func(*workflowv1.WatchProjectResponse) error) error
}

func (h *projectHandler) WatchProject(ctx context.Context, request *workflowv1.WatchProjectRequest, send func(*workflowv1.WatchProjectResponse) error) error {
	return h.watch(ctx, request, send)
}

type directoryHandler struct {
	identityv1braid.DirectoryServiceHandler
	answer func(ctx context.Context) (*identityv1.User, error)
}

func (h *directoryHandler) GetUser(ctx context.Context, _ *identityv1.GetUserRequest) (*identityv1.User, error) {
	return h.answer(ctx)
}

type authHandler struct {
	identityv1braid.AuthServiceHandler
	answer func(ctx context.Context) error
}

func (h *authHandler) Register(ctx context.Context, _ *identityv1.RegisterRequest) (*identityv1.RegisterResponse, error) {
	return &identityv1.RegisterResponse{}, h.answer(ctx)
}

// bundle is a server with all of them, an organization and a member in it.
type bundle struct {
	*rpctest.Server
	tasks        *taskHandler
	projects     *projectHandler
	directory    *directoryHandler
	auth         *authHandler
	organization id.ID
	token        string
	user         id.ID
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{tasks: &taskHandler{}, projects: &projectHandler{}, directory: &directoryHandler{}, auth: &authHandler{}, organization: id.New()}
	b.Server = rpctest.NewServer(t, func(server *rpc.Server) error {
		for _, mount := range []func() error{
			func() error { return workflowv1braid.MountTaskService(server, b.tasks) },
			func() error { return workflowv1braid.MountProjectService(server, b.projects) },
			func() error { return identityv1braid.MountDirectoryService(server, b.directory) },
			func() error { return identityv1braid.MountAuthService(server, b.auth) },
		} {
			if err := mount(); err != nil {
				return err
			}
		}
		return nil
	})
	b.token, b.user = b.SignIn(b.organization, "member")
	return b
}

// path returns a REST path below the organization.
func (b *bundle) path(rest string) string {
	return "/api/v1/organizations/" + b.organization.String() + rest
}

// newTasks is the path that creates tasks.
func (b *bundle) newTasks() string { return b.path("/projects/" + id.New().String() + "/tasks") }

// seen answers with an empty task and keeps the last call and request.
func (b *bundle) seen() (*call.Call, *proto.Message) {
	work, message := &call.Call{}, new(proto.Message)
	b.tasks.answer = func(ctx context.Context, request proto.Message) (*workflowv1.Task, error) {
		*work, *message = *call.From(ctx), request
		return &workflowv1.Task{}, nil
	}
	return work, message
}

// forbidden makes the handlers fail the test when they are reached.
func (b *bundle) forbidden(t *testing.T) {
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		t.Error("the handler was reached")
		return &workflowv1.Task{}, nil
	}
}

func requireOne(t *testing.T, answer rpctest.Answer, status int, reason string) {
	t.Helper()
	require.Equal(t, status, answer.Status, answer.Text)
	require.Equal(t, reason, answer.Reason(), answer.Text)
}

// gather returns a registry's metrics as text.
func gather(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	var text strings.Builder
	for _, family := range families {
		_, err := expfmt.MetricFamilyToText(&text, family)
		require.NoError(t, err)
	}
	return text.String()
}
