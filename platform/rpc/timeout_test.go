package rpc_test

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/rpc"
)

func TestDeadlineThatHasPassed(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for contentType, timeouts := range map[string][]string{
		"application/json":         {"Connect-Timeout-Ms", "0"},
		"application/grpc":         {"Grpc-Timeout", "0S", "Grpc-Timeout", "1n"},
		"application/grpc-web":     {"Grpc-Timeout", "1n"},
		"application/connect+json": {"Connect-Timeout-Ms", "0"},
	} {
		for i := 0; i < len(timeouts); i += 2 {
			path, body := createTask, frame(0, 0, "")
			switch contentType {
			case "application/json":
				body = []byte("{}")
			case "application/connect+json":
				path, body = watchProject, frame(0, 2, "{}")
			}
			answer := b.refuse(t, "POST", path, body, "Content-Type", contentType, timeouts[i], timeouts[i+1])
			require.Equal(t, connect.CodeDeadlineExceeded, answer.code, contentType)
			require.Equal(t, "DEADLINE_EXCEEDED", answer.info.GetReason(), contentType)
		}
	}
}

// The caller's deadline reaches the handler: up to a bound for a call, as it is for a stream.
func TestCallersDeadlineHolds(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var left time.Duration
	measure := func(ctx context.Context) {
		deadline, given := ctx.Deadline()
		require.True(t, given)
		left = time.Until(deadline)
	}
	b.tasks.answer = func(ctx context.Context, _ proto.Message) (*workflowv1.Task, error) {
		measure(ctx)
		return &workflowv1.Task{}, nil
	}
	b.projects.watch = func(ctx context.Context, _ *workflowv1.WatchProjectRequest, _ sendFunc) error {
		measure(ctx)
		return nil
	}
	ids := `{"organizationId":"` + b.organization.String() + `","projectId":"` + b.organization.String() + `"`
	create := []byte(ids + `,"title":"x"}`)
	watch := frame(0, uint32(len(ids)+1), ids+"}")
	for name, row := range map[string]struct {
		path     string
		body     []byte
		headers  []string
		expected time.Duration
	}{
		"none":        {createTask, create, []string{"Content-Type", "application/json"}, 10 * time.Second},
		"short":       {createTask, create, []string{"Content-Type", "application/json", "Connect-Timeout-Ms", "5000"}, 5 * time.Second},
		"long":        {createTask, create, []string{"Content-Type", "application/json", "Connect-Timeout-Ms", "3600000"}, time.Minute},
		"gRPC":        {createTask, frame(0, uint32(len(create)), string(create)), []string{"Content-Type", "application/grpc+json", "Grpc-Timeout", "20S"}, 20 * time.Second},
		"stream":      {watchProject, watch, []string{"Content-Type", "application/connect+json", "Connect-Timeout-Ms", "3600000"}, time.Hour},
		"gRPC stream": {watchProject, watch, []string{"Content-Type", "application/grpc+json", "Grpc-Timeout", "99999999H"}, 365 * 24 * time.Hour},
	} {
		left = 0
		status, _, answer := b.raw(t, "POST", row.path, row.body, row.headers...)
		require.Equal(t, 200, status, "%s: %s", name, answer)
		require.InDelta(t, row.expected.Seconds(), left.Seconds(), 4, name)
	}
	require.Equal(t, 10*time.Second, rpc.Deadline(nil))
}
