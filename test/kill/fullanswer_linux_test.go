package kill_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// What is said of a full disk: the part that /readyz names, and its metrics.
const (
	storagePart  = "workflow.storage"
	storageState = `braid_part_ready{part="workflow.storage"} 0`
	storageCount = `braid_pg_disk_full_errors_total{service="workflow"}`
)

// witness is somebody who goes on making projects, and notes what a full disk looks like to people and to operators.
type witness struct {
	speaker *client.Client
	person  *client.Person
	path    string
	writer  *writer
	made    int

	// refused counts writes refused for the disk, named how often /readyz said so while the process was ready, metered the
	// same of /metrics.
	refused, named, metered int
}

func newWitness(t *testing.T, running *deployment.Deployment, plan *plan) *witness {
	t.Helper()
	w := &witness{speaker: client.New(running.URL, running.AdminURL), writer: &writer{random: plan.random, padding: 10_000}}
	var err error
	w.person, err = w.speaker.SignUp(t.Context(), "Witness")
	require.NoError(t, err)
	w.path, err = w.speaker.CreateOrganization(t.Context(), w.person, "Witnesses")
	require.NoError(t, err)
	return w
}

// look makes one project, and looks at what the process says of itself. The error is an answer that must not be given.
func (w *witness) look(ctx context.Context, running *deployment.Deployment) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	w.made++
	answer, err := w.speaker.Do(ctx, w.person, http.MethodPost, w.path+"/projects",
		map[string]any{"key": fmt.Sprintf("W%d", w.made), "displayName": "Witness", "description": w.writer.noise()})
	if err == nil && answer.Status >= http.StatusInternalServerError {
		if strings.Contains(answer.Text("error.message"), "busy") {
			return fmt.Errorf("a full disk is taken for work: %s", answer.Raw)
		}
		if answer.Reason() == "STORAGE_FULL" {
			w.refused++
			if after := answer.Header.Get("Retry-After"); answer.Status != http.StatusServiceUnavailable || after != "30" {
				return fmt.Errorf("answered %d, Retry-After %q: %s", answer.Status, after, answer.Raw)
			}
		}
	}
	ready, body, err := get(ctx, running.AdminURL+"/readyz")
	if err == nil && ready == http.StatusOK && strings.Contains(body, `"degraded":{`) && strings.Contains(body, storagePart) {
		w.named++
	}
	if _, body, err = get(ctx, running.AdminURL+"/metrics"); err == nil &&
		strings.Contains(body, storageState) && strings.Contains(body, storageCount) {
		w.metered++
	}
	return nil
}

// get reads a page of the operators' port.
func get(ctx context.Context, address string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// awaitRoom waits until /readyz says no more that nothing can be stored.
func (w *witness) awaitRoom(ctx context.Context, running *deployment.Deployment) error {
	for begun := time.Now(); ; _ = clock.Sleep(ctx, 100*time.Millisecond) {
		status, body, err := get(ctx, running.AdminURL+"/readyz")
		if err == nil && status == http.StatusOK && !strings.Contains(body, ".storage") {
			return nil
		}
		if time.Since(begun) > recoveryTimeout {
			return fmt.Errorf("there is room, and still %d %s: %w", status, body, err)
		}
	}
}
