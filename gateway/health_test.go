package gateway_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/braidhq/braid/gateway"
)

func TestHealthOverGRPC(t *testing.T) {
	t.Parallel()
	var sick atomic.Bool
	s := newSplit(t, func(environment *gateway.Environment) {
		environment.Ready = func() map[string]error {
			if sick.Load() {
				return map[string]error{"workflow": errors.New("away")}
			}
			return nil
		}
	})
	connection, ctx := s.dial(t)
	client := grpc_health_v1.NewHealthClient(connection)
	check := func(ctx context.Context, service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
		response, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		return response.GetStatus(), err
	}
	for _, service := range []string{"", "braid.workflow.v1.TaskService"} {
		state, err := check(ctx, service)
		require.NoError(t, err)
		require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, state)
		sick.Store(true)
		state, err = check(ctx, service)
		require.NoError(t, err)
		require.Equal(t, grpc_health_v1.HealthCheckResponse_NOT_SERVING, state)
		sick.Store(false)
	}
	for _, service := range []string{"braid.workflow.v1.NoService", "braid.identity.v1.DirectoryService"} {
		_, err := check(ctx, service)
		require.Equal(t, codes.NotFound, status.Code(err), service)
	}
}
