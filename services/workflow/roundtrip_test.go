package workflow

import (
	"context"
	"math"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/testkit/pgtest"
)

// meter passes a database's connections on and counts round trips: each time a client speaks after the server did.
type meter struct {
	trips atomic.Int64
	url   string
}

func newMeter(t *testing.T, databaseURL string) *meter {
	t.Helper()
	target, err := pgx.ParseConfig(databaseURL)
	require.NoError(t, err)
	network, address := pgNetwork(target)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	measured := &meter{}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				return
			}
			var serverSpoke atomic.Bool
			serverSpoke.Store(true)
			forward := func(from, to net.Conn, before func()) {
				defer func() { _, _ = from.Close(), to.Close() }()
				buffer := make([]byte, 64<<10)
				for {
					n, err := from.Read(buffer)
					if n > 0 {
						before()
						if _, err := to.Write(buffer[:n]); err != nil {
							return
						}
					}
					if err != nil {
						return
					}
				}
			}
			running.Go(func() {
				forward(client, server, func() {
					if serverSpoke.Swap(false) {
						measured.trips.Add(1)
					}
				})
			})
			running.Go(func() { forward(server, client, func() { serverSpoke.Store(true) }) })
		}
	})
	parsed, err := url.Parse(databaseURL)
	require.NoError(t, err)
	query := parsed.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	parsed.RawQuery = query.Encode()
	parsed.Host = listener.Addr().String()
	measured.url = parsed.String()
	return measured
}

func pgNetwork(target *pgx.ConnConfig) (network, address string) {
	if target.Host[0] == '/' {
		return "unix", target.Host + "/.s.PGSQL." + strconv.Itoa(int(target.Port))
	}
	return "tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port)))
}

// fewestTrips is what work costs, statements prepared.
func (m *meter) fewestTrips(t *testing.T, name string, work func() error) int64 {
	t.Helper()
	for range 2 {
		// The first runs prepare the statements.
		require.NoError(t, work(), name)
	}
	// The meter sees pieces of a stream: a request that the kernel hands over in two, with an answer to the first half
	// between them, looks like two trips. That can only add, so the fewest of a few runs is what the work costs.
	fewest := int64(math.MaxInt64)
	for range 5 {
		before := m.trips.Load()
		require.NoError(t, work(), name)
		fewest = min(fewest, m.trips.Load()-before)
	}
	return fewest
}

// The numbers to hold: what a use case costs in round trips, statements prepared.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, serviceName, Migrations()...)
	measured := newMeter(t, database.URL)
	db := pgtest.OpenDB(t, pg.Config{Service: serviceName, URL: measured.url, MaxConns: 1, ReadConns: 1}, prometheus.NewRegistry())
	f := &fixture{process: &process{t: t, database: db}, pg: database, organizationID: id.New(), memberID: id.New()}
	f.clock = newFixtureClock()
	cases := app.New(db, f.clock, nil, func(domain.ProjectRef) {})
	handlers := api.NewTasks(cases, idempotency.Runner{DB: db, Clock: f.clock})
	ctx := f.as(f.memberID)

	var project domain.Project
	require.NoError(t, f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) (err error) {
		project, err = cases.CreateProject(ctx, tx, "WEB", "Site", "")
		return err
	}))
	var task *workflowv1.Task
	create := func(ctx context.Context) error {
		var err error
		task, err = handlers.CreateTask(ctx, &workflowv1.CreateTaskRequest{ProjectId: project.ID.String(), Title: "x"})
		return err
	}
	require.NoError(t, create(ctx))
	status := map[string]string{"todo": "in_progress", "in_progress": "todo"}
	keyed := func() context.Context {
		work := *call.From(ctx)
		work.IdempotencyKey, work.IdempotencyHash = id.New().String(), []byte("hash")
		return call.With(ctx, &work)
	}
	for name, measure := range map[string]struct {
		wanted int64
		work   func() error
	}{
		"create a task":            {2, func() error { return create(ctx) }},
		"create a task with a key": {3, func() error { return create(keyed()) }},
		"read a task": {1, func() error {
			_, err := cases.GetTask(ctx, id.MustParse(task.GetId()))
			return err
		}},
		"list tasks": {1, func() error {
			_, _, err := cases.ListTasks(ctx, project.ID, list.Request{})
			return err
		}},
		"list the tasks of a missing project": {1, func() error {
			_, _, err := cases.ListTasks(ctx, id.New(), list.Request{})
			require.ErrorIs(t, err, errs.ErrNotFound)
			return nil
		}},
		"move a task": {2, func() (err error) {
			task, err = handlers.TransitionTask(ctx, &workflowv1.TransitionTaskRequest{TaskId: task.GetId(), Status: status[task.GetStatus()]})
			return err
		}},
		"create a task for somebody": {2, func() error {
			return f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
				_, err := cases.CreateTask(ctx, tx, project.ID, domain.TaskDraft{TaskContent: domain.TaskContent{Title: "x"}, AssigneeID: id.New()})
				return err
			})
		}},
		"assign a task": {2, func() error {
			return f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
				_, err := cases.AssignTask(ctx, tx, id.MustParse(task.GetId()), id.New(), "")
				return err
			})
		}},
		"comment on a task": {2, func() error {
			return f.inTx(f.memberID, func(ctx context.Context, tx *pg.Tx) error {
				_, err := cases.CreateComment(ctx, tx, id.MustParse(task.GetId()), "Hm")
				return err
			})
		}},
	} {
		require.Equal(t, measure.wanted, measured.fewestTrips(t, name, measure.work), name)
	}
}
