package workflow

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/live"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

var quick = live.Config{
	Heartbeat: 150 * time.Millisecond, AccessInterval: 50 * time.Millisecond, AccessGrace: 300 * time.Millisecond,
	PollInterval: 100 * time.Millisecond, MaxStreams: 50, MaxUserStreams: 20,
}

// process is one process of the service: its own hub and server on a database that others may share.
type process struct {
	*rpctest.Server
	t        testing.TB
	database *pg.DB
	cases    *app.App
	hub      *live.Hub
}

// fixture is a database with one process and one organization in which somebody has each role.
type fixture struct {
	*process
	pg             *pgtest.Database
	clock          *clock.Manual
	organizationID id.ID
	adminToken     string
	memberToken    string
	memberID       id.ID
	viewerToken    string
	viewerID       id.ID
}

func newFixtureClock() *clock.Manual {
	return clock.NewManual(time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC))
}

// keepAdvancing lets the clock run, a minute every few milliseconds, until stop is called.
func (f *fixture) keepAdvancing() (stop func()) {
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				f.clock.Advance(time.Minute)
			}
		}
	}()
	return func() {
		close(ended)
		<-stopped
	}
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	database := pgtest.Open(t, "workflow", Migrations()...)
	f := &fixture{pg: database, clock: newFixtureClock(), organizationID: id.New()}
	f.process = newProcess(t, database.DB, f.clock, quick)
	f.adminToken, _ = f.SignIn(f.organizationID, "admin")
	f.memberToken, f.memberID = f.SignIn(f.organizationID, "member")
	f.viewerToken, f.viewerID = f.SignIn(f.organizationID, "viewer")
	return f
}

// newProcess starts a process. Its server is closed before its hub, and that before the database.
func newProcess(t testing.TB, database *pg.DB, clock clock.Clock, config live.Config) *process {
	t.Helper()
	hub := live.NewHub(database, config, clock, pgtest.Logger(t), prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	p := &process{t: t, database: database, hub: hub}
	members := &lateMembers{}
	p.cases = app.New(database, clock, members, hub.Changed)
	p.Server = rpctest.NewServer(t, func(server *rpc.Server) error {
		return mount(server, p.cases, idempotency.Runner{DB: database, Clock: clock}, hub, api.Watching{Authenticator: members, Authorizer: members})
	})
	members.server = p.Server
	t.Cleanup(hub.Stop)
	return p
}

// lateMembers stands for the server's own tokens and roles, which are made after what needs them.
type lateMembers struct{ server *rpctest.Server }

func (l *lateMembers) AuthenticateUser(ctx context.Context, token string) (call.Actor, error) {
	return l.server.Tokens.AuthenticateUser(ctx, token)
}

func (l *lateMembers) AuthenticateService(ctx context.Context, token string) (call.Actor, error) {
	return l.server.Tokens.AuthenticateService(ctx, token)
}

func (l *lateMembers) Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error {
	return l.server.Roles.Authorize(ctx, organizationID, userID, permission)
}

func (l *lateMembers) AuthorizeResource(ctx context.Context, organizationID, userID id.ID, permission string, asked rpc.Asked) (call.Undecided, error) {
	return l.server.Roles.AuthorizeResource(ctx, organizationID, userID, permission, asked)
}

// path returns a path below the fixture's organization.
func (f *fixture) path(rest string) string {
	return "/api/v1/organizations/" + f.organizationID.String() + rest
}

// must sends a request that succeeds and returns the answer's body.
func (f *fixture) must(method, path, token string, body any) map[string]any {
	f.t.Helper()
	answer := f.REST(method, path, token, body)
	require.Equal(f.t, http.StatusOK, answer.Status, "%s %s: %s", method, path, answer.Text)
	return answer.Body
}

// project makes a project and returns its id.
func (f *fixture) project(key string) string {
	f.t.Helper()
	return f.must("POST", f.path("/projects"), f.adminToken, map[string]any{"key": key, "displayName": "Project " + key})["id"].(string)
}

// task makes a task and returns it.
func (f *fixture) task(projectID string, fields map[string]any) map[string]any {
	f.t.Helper()
	if fields["title"] == nil {
		fields["title"] = "A task"
	}
	return f.must("POST", f.path("/projects/"+projectID+"/tasks"), f.memberToken, fields)
}

// refused sends a request that must fail in one way.
func (f *fixture) refused(method, path, token string, body any, status int, reason string) rpctest.Answer {
	f.t.Helper()
	answer := f.REST(method, path, token, body)
	require.Equal(f.t, status, answer.Status, "%s %s: %s", method, path, answer.Text)
	require.Equal(f.t, reason, answer.Reason(), answer.Text)
	return answer
}

// as returns a context as a use case gets it from the chain.
func (f *fixture) as(userID id.ID) context.Context {
	return call.With(f.t.Context(), &call.Call{
		OrganizationID: f.organizationID, CorrelationID: "test", Actor: call.Actor{Kind: call.User, UserID: userID},
	})
}

// inTx runs work as the user in a transaction.
func (f *fixture) inTx(userID id.ID, work func(ctx context.Context, tx *pg.Tx) error) error {
	ctx := f.as(userID)
	return f.database.InTx(ctx, pg.ScopeOf(ctx), work)
}

// events returns the types of what is in the outbox, in order.
func (f *fixture) events() []string {
	f.t.Helper()
	rows, err := f.pg.Admin.Query(f.t.Context(), `select type from outbox order by position`)
	require.NoError(f.t, err)
	defer rows.Close()
	var types []string
	for rows.Next() {
		var text string
		require.NoError(f.t, rows.Scan(&text))
		types = append(types, text)
	}
	require.NoError(f.t, rows.Err())
	return types
}

// count runs a counting statement as the administrator.
func (f *fixture) count(sql string, arguments ...any) (rows int) {
	f.t.Helper()
	require.NoError(f.t, f.pg.Admin.QueryRow(f.t.Context(), sql, arguments...).Scan(&rows))
	return rows
}

// silentCases are the use cases of a process that tells nobody of its changes.
func silentCases(f *fixture) *app.App {
	return app.New(f.database, f.clock, f.Roles, func(domain.ProjectRef) {})
}

var listRequest = list.Request{PageSize: list.MaxPageSize}

// updateOf changes a title and gives the task to somebody.
func updateOf(title string, assigneeID id.ID) app.TaskUpdate {
	return app.TaskUpdate{
		TaskPatch: domain.TaskPatch{TaskContent: domain.TaskContent{Title: title}, Has: func(field string) bool { return field == "title" }},
		Assigns:   true, AssigneeID: assigneeID,
	}
}
