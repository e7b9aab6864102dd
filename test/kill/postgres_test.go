package kill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/deployment"
)

// recoveryTimeout bounds the way back once nothing stands in it any more.
const recoveryTimeout = 30 * time.Second

// restartLine is what braid logs each time it starts its PostgreSQL again.
const restartLine = "PostgreSQL has ended; it is started again"

// TestKillPostgres kills the server that the all-in-one form runs for itself, and nothing else: the same braid process
// must bring it back and lose nothing.
func TestKillPostgres(t *testing.T) {
	requireAsked(t)
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: makeDirectory(t), Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	connection, err := bus.ReadClientConfig(running.DataDir)
	require.NoError(t, err)
	runKills(t, running, connection, readPlan(t, "BRAID_TEST_KILL_POSTGRES_COUNT", 10),
		func(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error) {
			return killServer(ctx, t, running, plan)
		})
	t.Logf("PostgreSQL was started again %d times", restarts(t, running))
}

// killServer makes one kill, now and then another one while the server recovers, and waits for braid to bring it back.
func killServer(ctx context.Context, t *testing.T, running *deployment.Deployment, plan *plan) (int, error) {
	// Writers try again up to a second after they were refused. Most lives of the server are long enough for one of them.
	if written, begun := plan.written(), time.Now(); !plan.oneIn(6) {
		for plan.written() == written && time.Since(begun) < 5*time.Second {
			_ = clock.Sleep(ctx, 20*time.Millisecond)
		}
	}
	_ = clock.Sleep(ctx, plan.between(50*time.Millisecond, 1200*time.Millisecond))
	data, before := filepath.Join(running.DataDir, "postgres", "data"), restarts(t, running)
	if err := killPostmaster(data); err != nil {
		return 0, err
	}
	kills := 1
	if plan.oneIn(4) {
		_ = clock.Sleep(ctx, plan.between(50*time.Millisecond, time.Second))
		// It may be between two lives.
		if err := killPostmaster(data); err == nil {
			kills++
		}
	}
	for begun := time.Now(); restarts(t, running) == before; _ = clock.Sleep(ctx, 20*time.Millisecond) {
		if time.Since(begun) > recoveryTimeout {
			return kills, errors.New("nobody has noticed that PostgreSQL is gone")
		}
	}
	return kills, awaitRecovery(ctx, t, running)
}

// restarts counts how often braid has set out to start its PostgreSQL again.
func restarts(t *testing.T, running *deployment.Deployment) int {
	t.Helper()
	content, err := os.ReadFile(running.Logs()[0])
	require.NoError(t, err)
	return bytes.Count(content, []byte(restartLine))
}

// awaitRecovery waits until the process is ready again. One that has ended is not started.
func awaitRecovery(ctx context.Context, t *testing.T, running *deployment.Deployment) error {
	begun := time.Now()
	for {
		status, err := readiness(ctx, running)
		switch {
		case status == http.StatusOK:
			t.Logf("ready after %s", time.Since(begun).Round(10*time.Millisecond))
			return nil
		case errors.Is(err, syscall.ECONNREFUSED):
			return errors.New("braid has ended")
		case time.Since(begun) > recoveryTimeout:
			return fmt.Errorf("not ready after %s: %d %w", recoveryTimeout, status, err)
		}
		_ = clock.Sleep(ctx, 100*time.Millisecond)
	}
}

func readiness(ctx context.Context, running *deployment.Deployment) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, running.AdminURL+"/readyz", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
