package rpc_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

type fixedTask struct {
	workflowv1braid.TaskServiceHandler
	task *workflowv1.Task
}

func (f fixedTask) GetTask(context.Context, *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	return f.task, nil
}

// nobody is a client that reads no answer.
type nobody struct{ header http.Header }

func (d *nobody) Header() http.Header               { return d.header }
func (d *nobody) Write(content []byte) (int, error) { return len(content), nil }
func (d *nobody) WriteHeader(int)                   {}

// BenchmarkREST is what a read costs between net/http and its handler.
func BenchmarkREST(b *testing.B) {
	tokens := rpctest.NewTokens()
	roles, err := rpctest.NewRoles()
	require.NoError(b, err)
	chain, err := rpc.NewChain(rpc.ChainConfig{
		Authenticator: tokens, Authorizer: roles, HashKeyed: func(data []byte) []byte { return data },
		Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(b, err)
	server := rpc.NewServer(chain)
	task := &workflowv1.Task{Id: id.New().String(), Title: "Write it down", Description: "At once.", Labels: []string{"a", "b"}}
	require.NoError(b, workflowv1braid.MountTaskService(server, fixedTask{task: task}))
	organization := id.New()
	user := id.New()
	tokens.User("token", user)
	roles.Grant(organization, user, "member")
	request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/api/v1/organizations/"+organization.String()+"/tasks/"+task.GetId(), nil)
	require.NoError(b, err)
	request.Header.Set("Authorization", "Bearer token")
	request.RemoteAddr = "127.0.0.1:40000"
	b.ReportAllocs()
	for b.Loop() {
		server.ServeHTTP(&nobody{header: http.Header{}}, request)
	}
}
