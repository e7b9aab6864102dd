// Package upgrade_test keeps the habit of upgrading: the present binary is started on a data directory as the previous
// migration level left it, and has to go on with it. The directory is made by running every set of migrations but its
// last one, and writing rows as a braid of that level would have.
package upgrade_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
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
	before := newFixture()
	writePreviousLevel(t, filepath.Join(directory, "data", "postgres"), before)

	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: directory})
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, running.Stop(), "it stops cleanly")
		if t.Failed() {
			content, _ := os.ReadFile(running.Logs()[0])
			t.Logf("%s", content[max(0, len(content)-8<<10):])
		}
	})
	after := &walk{Client: client.New(running.URL, running.AdminURL), fixture: before, ada: before.person()}
	after.run(t)
	require.NoError(t, running.Stop())

	for _, service := range services() {
		require.Empty(t, pendingOf(t, filepath.Join(directory, "data", "postgres"), service), service)
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

func databaseOf(service string) string { return "braid_" + service }

// startServer runs PostgreSQL on a data directory as up does.
func startServer(t *testing.T, directory string) (server *embedded.Server, stop func()) {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Config{DataDir: directory, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return server, func() { require.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) }
}

// writePreviousLevel makes the databases of the previous level and fills them.
func writePreviousLevel(t *testing.T, directory string, rows *fixture) {
	t.Helper()
	server, stop := startServer(t, directory)
	defer stop()
	pending := 0
	for _, service := range services() {
		require.NoError(t, server.EnsureDatabase(t.Context(), databaseOf(service)))
		config := pg.MigrateConfig{Service: service, URL: server.URL(databaseOf(service)), Logger: slog.New(slog.DiscardHandler)}
		for _, set := range migrations[service]() {
			config.Sets = append(config.Sets, previousLevel(t, set))
		}
		require.NoError(t, pg.Migrate(t.Context(), config))
		config.Sets = migrations[service]()
		left, err := pg.Pending(t.Context(), config)
		require.NoError(t, err)
		pending += len(left)
		insert(t, config.URL, rows.statements(t, service))
	}
	require.Positive(t, pending, "there is nothing to upgrade: the test shows nothing")
}

func pendingOf(t *testing.T, directory, service string) []string {
	t.Helper()
	server, stop := startServer(t, directory)
	defer stop()
	pending, err := pg.Pending(t.Context(), pg.MigrateConfig{
		Service: service, URL: server.URL(databaseOf(service)), Sets: migrations[service](), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return pending
}

// previousLevel is a set without its last migration. One that has only one is taken whole: there is no level before.
func previousLevel(t *testing.T, set pg.MigrationSet) pg.MigrationSet {
	t.Helper()
	root := set.FS
	names, err := fs.Glob(root, "*.sql")
	require.NoError(t, err)
	if len(names) == 0 {
		root, err = fs.Sub(set.FS, "migrations")
		require.NoError(t, err)
		names, err = fs.Glob(root, "*.sql")
		require.NoError(t, err)
	}
	require.NotEmpty(t, names, set.Name)
	slices.Sort(names) // Their versions have leading zeros.
	if len(names) > 1 {
		names = names[:len(names)-1]
	}
	files := fstest.MapFS{}
	for _, name := range names {
		content, err := fs.ReadFile(root, name)
		require.NoError(t, err)
		files[name] = &fstest.MapFile{Data: content}
	}
	set.FS = files
	return set
}

// statement is one row to write.
type statement struct {
	sql       string
	arguments []any
}

// insert writes rows as the login that owns the tables.
func insert(t *testing.T, url string, statements []statement) {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { _ = connection.Close(context.WithoutCancel(t.Context())) }()
	for _, one := range statements {
		tag, err := connection.Exec(t.Context(), one.sql, one.arguments...)
		require.NoError(t, err, one.sql)
		require.EqualValues(t, 1, tag.RowsAffected(), one.sql)
	}
}

// walk is what a person does after the upgrade.
type walk struct {
	*client.Client
	fixture *fixture
	ada     *client.Person
}

func (w *walk) get(t *testing.T, path string) client.Answer {
	t.Helper()
	answer, err := w.Must(t.Context(), w.ada, http.MethodGet, path, nil)
	require.NoError(t, err)
	return answer
}

func (w *walk) post(t *testing.T, path string, body any) client.Answer {
	t.Helper()
	answer, err := w.Must(t.Context(), w.ada, http.MethodPost, path, body)
	require.NoError(t, err)
	return answer
}

// run finds what was there before and goes on with it.
func (w *walk) run(t *testing.T) {
	f := w.fixture
	require.NoError(t, w.Login(t.Context(), w.ada), "the password is still known")
	organization := "/api/v1/organizations/" + f.organizationID.String()
	require.Equal(t, "Old House", w.get(t, organization).Text("displayName"))

	task := organization + "/tasks/" + f.taskID.String()
	before := w.get(t, task)
	require.Equal(t, "OLD-1 in_progress written before", fmt.Sprint(before.Text("key"), " ", before.Text("status"), " ", before.Text("title")))
	require.Equal(t, "said before", w.get(t, task+"/comments").List("comments")[0]["body"])
	require.Equal(t, "in_review", w.post(t, task+":transition", map[string]any{"status": "in_review", "etag": before.Text("etag")}).Text("status"))
	made := w.post(t, organization+"/projects/"+f.projectID.String()+"/tasks", map[string]any{"title": "written after"})
	require.Equal(t, "OLD-2", made.Text("key"), "numbers go on where they were")

	notifications := w.get(t, "/api/v1/me/notifications").List("notifications")
	require.Len(t, notifications, 1)
	require.Equal(t, "OLD-1", notifications[0]["taskKey"])
	for _, row := range w.get(t, "/api/v1/me/notification-preferences").List("preferences") {
		muted := row["kind"] == "task_commented" && row["channel"] == "email"
		require.Equal(t, !muted, row["enabled"] == true, "%v", row)
	}

	// The record of before, the event that was waiting in the outbox, and what has just happened.
	require.NoError(t, client.Await(t.Context(), func() error {
		var recorded []string
		for _, record := range w.get(t, organization+"/audit-events").List("auditEvents") {
			recorded = append(recorded, fmt.Sprint(record["correlationId"], " ", record["action"]))
		}
		for _, wanted := range []string{
			"recorded-before workflow.project.created", "waiting-before workflow.task.created",
			made.Header.Get("X-Correlation-Id") + " workflow.task.created",
		} {
			if !slices.Contains(recorded, wanted) {
				return fmt.Errorf("%q is not among %q", wanted, recorded)
			}
		}
		return nil
	}))
	// A newcomer needs everything: jobs, mails, the mailbox.
	ben, err := w.SignUp(t.Context(), "Ben")
	require.NoError(t, err)
	require.NoError(t, w.Join(t.Context(), organization, w.ada, ben, "member"))
}
