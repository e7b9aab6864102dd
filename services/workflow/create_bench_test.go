package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/testkit/pgtest"
)

const (
	benchCallers  = 32
	benchProjects = 32
)

// BenchmarkCreate measures what a create costs below the protocols: 32 callers over 32 projects, the whole transaction
// under the app role and row-level security, against a bare one of five round trips. Besides wall time, which other work
// on the machine disturbs, it reports processor time per create, of PostgreSQL (server-µs) and of this process
// (client-µs). pgtest's own server does not write to disk: name a durable one in BRAID_TEST_DATABASE_URL.
func BenchmarkCreate(b *testing.B) {
	for name, prepare := range map[string]func(*benchCreates) func(*rand.Rand) error{
		"floor": (*benchCreates).floor, "product": (*benchCreates).product, "keyed": (*benchCreates).keyed,
	} {
		b.Run(name, func(b *testing.B) {
			f := newBenchCreates(b)
			f.measure(prepare(f))
		})
	}
}

type benchCreates struct {
	*testing.B
	*pgtest.Database
	db       *pg.DB
	ctx      context.Context
	handlers *api.Tasks
	projects []string
	admin    *pgxpool.Pool
	server   int
}

func newBenchCreates(b *testing.B) *benchCreates {
	f := &benchCreates{B: b, Database: pgtest.Create(b, serviceName, Migrations()...)}
	var err error
	f.db, err = pg.Open(b.Context(), pg.Config{Service: serviceName, URL: f.URL}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(b, err)
	b.Cleanup(f.db.Close)
	config := f.Admin.Config().Copy()
	config.MaxConns = benchCallers
	f.admin, err = pgxpool.NewWithConfig(b.Context(), config)
	require.NoError(b, err)
	b.Cleanup(f.admin.Close)
	f.ctx = call.With(b.Context(), &call.Call{
		Procedure: "/braid.workflow.v1.TaskService/CreateTask", CorrelationID: id.New().String(), OrganizationID: id.New(),
		Actor: call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New()},
	})
	cases := app.New(f.db, clock.System{}, nil, func(domain.ProjectRef) {})
	f.handlers = api.NewTasks(cases, idempotency.Runner{DB: f.db, Clock: clock.System{}})
	for number := range benchProjects {
		require.NoError(b, f.db.InTx(f.ctx, pg.ScopeOf(f.ctx), func(ctx context.Context, tx *pg.Tx) error {
			project, err := cases.CreateProject(ctx, tx, fmt.Sprintf("P%d", number), "Site", "")
			f.projects = append(f.projects, project.ID.String())
			return err
		}))
	}
	var backend int
	connection, err := f.admin.Acquire(b.Context())
	require.NoError(b, err)
	defer connection.Release()
	require.NoError(b, connection.QueryRow(b.Context(), `select pg_backend_pid()`).Scan(&backend))
	if stat, err := readProcess(backend); err == nil {
		f.server = stat.parent
	}
	return f
}

const benchDescription = "What is to be done, why, and how one sees that it is done; as long as such texts usually are, which is two lines or three. "

func (f *benchCreates) product() func(*rand.Rand) error {
	return func(random *rand.Rand) error {
		_, err := f.handlers.CreateTask(f.ctx, &workflowv1.CreateTaskRequest{
			ProjectId: f.projects[random.IntN(benchProjects)], Title: "A task of the benchmark", Description: benchDescription,
			Labels: []string{"bench", "load"},
		})
		return err
	}
}

func (f *benchCreates) keyed() func(*rand.Rand) error {
	return func(random *rand.Rand) error {
		work := *call.From(f.ctx)
		work.IdempotencyKey, work.IdempotencyHash = id.New().String(), []byte("a keyed hash of thirty-two bytes")
		_, err := f.handlers.CreateTask(call.With(f.ctx, &work), &workflowv1.CreateTaskRequest{
			ProjectId: f.projects[random.IntN(benchProjects)], Title: "A task of the benchmark", Description: benchDescription,
			Labels: []string{"bench", "load"},
		})
		return err
	}
}

func (f *benchCreates) floor() func(*rand.Rand) error {
	organizationID := call.From(f.ctx).OrganizationID
	return func(random *rand.Rand) (err error) {
		ctx := f.Context()
		projectID := f.projects[random.IntN(benchProjects)]
		tx, err := f.admin.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
			}
		}()
		var number int32
		var revision int64
		err = tx.QueryRow(ctx, `update project set next_number = next_number + 1, revision = revision + 1
			where organization_id = $1 and id = $2 returning next_number - 1, revision`, organizationID.String(), projectID).Scan(&number, &revision)
		if err != nil {
			return err
		}
		taskID, now := id.New().String(), time.Now()
		_, err = tx.Exec(ctx, `insert into task (organization_id, id, project_id, number, project_key, title, description, status,
				priority, reporter_id, labels, created_at, updated_at, revision)
			values ($1, $2, $3, $4, 'MAKE', 'A task of the benchmark', $5, 'todo', 2, $1, array['bench', 'load'], $6, $6, $7)`,
			organizationID.String(), taskID, projectID, number, benchDescription, now, revision)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into outbox (event_id, key, organization_id, type, schema, subject, occurred_at, attributes, payload)
			values ($1, $2, $2, 'workflow.task.created', 'braid.workflow.v1.TaskCreated', $3, $4, '{}', $5)`,
			id.New().String(), organizationID.String(), "task/"+taskID, now, []byte(benchDescription+benchDescription))
		if err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
}

// measure lets every caller work once on its own, so that statements are prepared, and then all of them b.N times.
func (f *benchCreates) measure(create func(*rand.Rand) error) {
	var left atomic.Int64
	run := func(times int) {
		left.Store(int64(times))
		var working sync.WaitGroup
		for caller := range benchCallers {
			working.Go(func() {
				random := rand.New(rand.NewPCG(uint64(caller), 11))
				for left.Add(-1) >= 0 {
					if err := create(random); err != nil {
						f.Error(err)
						return
					}
				}
			})
		}
		working.Wait()
	}
	run(20 * benchCallers)
	f.settle()
	server, client, records := f.serverTime(), clientTime(), f.walRecords()
	f.ResetTimer()
	f.ReportAllocs()
	run(f.N)
	f.StopTimer()
	count := float64(f.N)
	f.ReportMetric(float64((f.serverTime()-server).Microseconds())/count, "server-µs/op")
	f.ReportMetric(float64((clientTime()-client).Microseconds())/count, "client-µs/op")
	f.ReportMetric(count/f.Elapsed().Seconds(), "creates/s")
	f.settle()
	f.ReportMetric(float64(f.walRecords()-records)/count, "wal-records/op")
}

// settle writes back what earlier work left, so that the next does not pay for it.
func (f *benchCreates) settle() {
	_, err := f.admin.Exec(f.Context(), `checkpoint`, pgx.QueryExecModeSimpleProtocol)
	require.NoError(f, err)
}

func (f *benchCreates) walRecords() (count int64) {
	require.NoError(f, f.admin.QueryRow(f.Context(), `select wal_records from pg_stat_wal`).Scan(&count))
	return count
}

// serverTime is the processor time of PostgreSQL and of all it started; 0 where that can't be seen.
func (f *benchCreates) serverTime() time.Duration {
	if f.server == 0 {
		return 0
	}
	names, _ := filepath.Glob("/proc/[0-9]*")
	var total time.Duration
	for _, name := range names {
		number, _ := strconv.Atoi(filepath.Base(name))
		if stat, err := readProcess(number); err == nil && (number == f.server || stat.parent == f.server) {
			total += stat.used
		}
	}
	return total
}

func clientTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type processStat struct {
	parent int
	used   time.Duration
}

// readProcess reads proc_pid_stat(5): fields behind the name, which is in parentheses and may hold anything.
func readProcess(number int) (processStat, error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(number), "stat"))
	if err != nil {
		return processStat{}, err
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 16 {
		return processStat{}, errors.New("not a process")
	}
	stat := processStat{}
	stat.parent, _ = strconv.Atoi(fields[1])
	// User and system time; the last two are those of children that have ended.
	for _, field := range fields[11:15] {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		stat.used += time.Duration(ticks) * 10 * time.Millisecond
	}
	return stat, nil
}
