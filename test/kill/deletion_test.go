package kill_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

const (
	// deletionGrace makes deletions begin while processes are killed, deletionPause is the time between two of them.
	deletionGrace = "1s"
	deletionPause = 500 * time.Millisecond
	maxDeletions  = 30
	// deletionPatience is how long the last ones may take once nobody kills any more.
	deletionPatience = 45 * time.Second
)

// remover is somebody who makes organizations and has them deleted, one after the other.
type remover struct {
	speaker *client.Client
	person  *client.Person
	// doomed are the paths of those whose deletion was acknowledged.
	doomed []string
}

func makeRemover(t *testing.T, running *deployment.Deployment, tenants []*tenant) *remover {
	t.Helper()
	session := *tenants[0].people[2]
	made := &remover{speaker: client.New(running.URL, running.AdminURL), person: &session}
	require.NoError(t, made.speaker.Login(t.Context(), &session))
	return made
}

// work goes on until ctx ends; what is under way then is still brought to its acknowledged end.
func (r *remover) work(ctx, lasting context.Context) error {
	for number := 1; ctx.Err() == nil && number <= maxDeletions; number++ {
		if err := r.remove(lasting, number); err != nil {
			return err
		}
		_ = clock.Sleep(ctx, deletionPause)
	}
	return nil
}

func (r *remover) remove(ctx context.Context, number int) error {
	name := fmt.Sprintf("Doomed %d", number)
	made, err := r.persist(ctx, fmt.Sprintf("found-%d", number), "/api/v1/organizations", map[string]any{"displayName": name})
	if err != nil {
		return err
	}
	path := "/api/v1/organizations/" + made.Text("id")
	for i := range 2 {
		key := fmt.Sprintf("P%d", i)
		if _, err := r.persist(ctx, fmt.Sprintf("project-%d-%d", number, i), path+"/projects", map[string]any{"key": key, "displayName": name}); err != nil {
			return err
		}
	}
	if _, err := r.persist(ctx, fmt.Sprintf("delete-%d", number), path+":delete", map[string]any{"confirmName": name}); err != nil {
		return err
	}
	r.doomed = append(r.doomed, path)
	return nil
}

// persist posts until the answer is clear. A deletion that is asked for again, after the answer was lost, may have begun.
func (r *remover) persist(ctx context.Context, key, path string, body any) (client.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	for {
		attempt, stop := context.WithTimeout(ctx, attemptTimeout)
		answer, err := r.speaker.Do(attempt, r.person, http.MethodPost, path, body, client.WithHeader("Idempotency-Key", key))
		stop()
		switch {
		case err == nil && (answer.Status == http.StatusOK || answer.Reason() == "DELETION_PENDING"):
			return answer, nil
		case err == nil && answer.Status == http.StatusNotFound && key[:6] == "delete":
			return answer, nil
		case err == nil && answer.Status == http.StatusUnauthorized:
			_ = r.speaker.Login(ctx, r.person) // The next attempt says whether it has helped.
		case err == nil && !isUnclear(answer):
			return answer, fmt.Errorf("%s: POST %s answered %d: %s", key, path, answer.Status, answer.Raw)
		}
		if ctx.Err() != nil {
			return answer, fmt.Errorf("%s has no clear answer after %s", key, clearTimeout)
		}
		_ = clock.Sleep(ctx, retryPause)
	}
}

// verify waits until every deletion has come to its end, whatever was killed meanwhile, and looks into all databases:
// nothing of these organizations is left but what the audit keeps for good.
func (r *remover) verify(t *testing.T, running *deployment.Deployment) {
	t.Helper()
	require.NotEmpty(t, r.doomed, "nothing was deleted while processes were killed")
	began := time.Now()
	for _, path := range r.doomed {
		assert.NoError(t, client.AwaitFor(t.Context(), deletionPatience-time.Since(began), func() error {
			answer, err := read(t.Context(), r.speaker, r.person, path+"/deletion")
			if err == nil && answer.Text("state") != "DELETED" {
				err = fmt.Errorf("it is not deleted: %s", answer.Raw)
			}
			return err
		}))
		assert.NoError(t, client.Await(t.Context(), func() error {
			rows, err := running.RowsOf(t.Context(), path[len("/api/v1/organizations/"):])
			delete(rows, "audit.audit_record")
			if err == nil && len(rows) > 0 {
				err = fmt.Errorf("of %s there is left: %v", path, rows)
			}
			return err
		}))
	}
	t.Logf("%d organizations were deleted meanwhile; the last was gone %s after the last kill", len(r.doomed), time.Since(began).Round(100*time.Millisecond))
}
