// Package upgrade_test keeps the habit of upgrading: the present binary is started on a data directory as the previous
// migration level left it, and has to go on with it. The directory is a real one: people have worked in it, it has keys,
// a broker's log and a version, and ended by a kill. Its databases are then taken back by the last migration of each set.
package upgrade_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// migrations are those of every service that keeps data.
var migrations = map[string]func() []pg.MigrationSet{
	identity.Name: identity.Migrations, organization.Name: organization.Migrations, workflow.Name: workflow.Migrations,
	notification.Name: notification.Migrations, audit.Name: audit.Migrations,
}

func TestUpgradeFromPreviousLevel(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	directory := makeDirectory(t)
	before := liveBefore(t, directory)
	dataDir := filepath.Join(directory, "data")
	server, stop := startServer(t, filepath.Join(dataDir, "postgres"))
	takeBack(t, server)
	before.leaveWaiting(t, server)
	stop()
	kept := lasting(t, dataDir)

	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, running.Stop(), "it stops cleanly")
		if t.Failed() {
			content, _ := os.ReadFile(running.Logs()[0])
			t.Logf("%s", content[max(0, len(content)-8<<10):])
		}
	})
	before.goOn(t, client.New(running.URL, running.AdminURL))
	require.NoError(t, running.Stop())
	require.Equal(t, kept, lasting(t, dataDir))

	server, stop = startServer(t, filepath.Join(dataDir, "postgres"))
	defer stop()
	for _, service := range services() {
		require.Empty(t, pendingOf(t, server, service), service)
	}
}

// makeDirectory is not t.TempDir, whose parent the unprivileged PostgreSQL could not pass.
func makeDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "braid-upgrade-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	require.NoError(t, os.Chmod(directory, 0o755))
	return directory
}

func services() []string {
	var names []string
	for name := range migrations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// goOn is what the same people do after the upgrade.
func (p *past) goOn(t *testing.T, speaker *client.Client) {
	ada, ben := person{speaker, p.ada}, person{speaker, p.ben}
	p.holdTokens(t, ada)
	require.NoError(t, speaker.Login(t.Context(), p.ben), "the password is still known")
	require.Equal(t, "Old House", ada.get(t, p.organization).Text("displayName"))

	task := ada.get(t, p.task)
	require.Equal(t, "OLD-1 in_progress written before", fmt.Sprint(task.Text("key"), " ", task.Text("status"), " ", task.Text("title")))
	require.Len(t, ada.get(t, p.task+"/comments").List("comments"), 2)
	again := ada.post(t, p.task+"/comments", map[string]any{"body": commentBefore}, client.WithHeader("Idempotency-Key", "before"))
	require.Equal(t, "true", again.Header.Get("Idempotency-Replayed"), "a client that missed the answer asks once more")
	require.Equal(t, p.answer.Body, again.Body)
	require.Len(t, ada.get(t, p.task+"/comments").List("comments"), 2)
	require.Equal(t, "in_review", ben.post(t, p.task+":transition", map[string]any{"status": "in_review", "etag": task.Text("etag")}).Text("status"))
	made := ada.post(t, p.project+"/tasks", map[string]any{"title": "written after"})
	require.Equal(t, "OLD-2", made.Text("key"), "numbers go on where they were")
	for _, row := range ben.get(t, "/api/v1/me/notification-preferences").List("preferences") {
		muted := row["kind"] == "task_commented" && row["channel"] == "email"
		require.Equal(t, !muted, row["enabled"] == true, "%v", row)
	}
	p.hearAll(t, ada, ben, made.Header.Get("X-Correlation-Id")+" workflow.task.created")

	ada.post(t, p.open+":resend", map[string]any{})
	// A newcomer needs everything: jobs, mails, the mailbox; this one was invited before.
	require.NoError(t, speaker.Register(t.Context(), p.cleo))
	person{speaker, p.cleo}.post(t, "/api/v1/invitations:accept", map[string]any{"token": p.invitation})
	person{speaker, p.cleo}.get(t, p.task)
}

// holdTokens uses what the old run handed out: an access token, signed by a key that is sealed with the key file, and
// the refresh token of the same session.
func (p *past) holdTokens(t *testing.T, ada person) {
	t.Helper()
	require.Equal(t, "Ada", ada.get(t, "/api/v1/me").Text("displayName"), "a token of before is good")
	require.Equal(t, p.keys, ada.get(t, "/.well-known/jwks.json").Body, "the keys that tokens are signed with are those of before")
	answer, err := ada.Must(t.Context(), nil, http.MethodPost, "/api/v1/auth/refresh", map[string]any{"refreshToken": p.ada.Refresh})
	require.NoError(t, err)
	p.ada.Token, p.ada.Refresh = answer.Text("accessToken"), answer.Text("refreshToken")
	require.Equal(t, p.ada.ID, ada.get(t, "/api/v1/me").Text("id"))
}

// hearAll waits for the records of before, for the event that was in the broker's log, for the one that waited in the
// outbox, and for what has just happened; each must be there once.
func (p *past) hearAll(t *testing.T, ada, ben person, after string) {
	t.Helper()
	wanted := []string{waiting + " workflow.task.created", p.unheard + " workflow.task.commented", after}
	var found map[string]int
	require.NoError(t, client.Await(t.Context(), func() error {
		found = ada.records(t, p.organization)
		for _, one := range wanted {
			if found[one] == 0 {
				return fmt.Errorf("%q is not among %v", one, found)
			}
		}
		return nil
	}))
	for _, one := range wanted {
		require.Equal(t, 1, found[one], one)
	}
	for one, times := range p.records {
		require.Equal(t, times, found[one], one)
	}
	titles := map[any]int{}
	for _, notification := range ben.get(t, "/api/v1/me/notifications?pageSize=200").List("notifications") {
		titles[notification["id"]]++
		titles[notification["kind"]]++
	}
	for _, notification := range p.notifications {
		require.Equal(t, 1, titles[notification["id"]], "%v", notification)
	}
	require.Equal(t, 1, titles["task_assigned"], "what was told before is not told again")
}
