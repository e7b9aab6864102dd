package service

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/pgtest"
)

const secretToken = "secret-token"

// bench is a service's database and the clock of its processes.
type bench struct {
	*pgtest.Database
	clock *clock.Manual
	work  call.Call
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{
		Database: pgtest.Create(t, "refusal", outbox.Migrations(), Migrations()),
		clock:    clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)),
		work: call.Call{
			Procedure: "/braid.workflow.v1.TaskService/CreateTask", CorrelationID: "corr-1", OrganizationID: id.New(),
			Actor: call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), Token: secretToken},
		},
	}
}

// process is one of the service's.
type process struct {
	*refusals
	bench    *bench
	registry *prometheus.Registry
	logged   *bytes.Buffer
}

func (b *bench) process(t *testing.T) *process {
	t.Helper()
	registry, logged := prometheus.NewRegistry(), &bytes.Buffer{}
	db := pgtest.OpenDB(t, pg.Config{Service: "refusal", URL: b.URL}, registry)
	logger := slog.New(slog.NewTextHandler(logged, nil))
	return &process{newRefusals("refusal", db, b.clock, logger, prometheus.NewRegistry()), b, registry, logged}
}

func (p *process) refuse(t *testing.T, permission string) {
	work := p.bench.work
	p.Refused(call.With(t.Context(), &work), permission, "COMMENT_NOT_YOURS")
}

// round is one of those that the part does.
func (p *process) round(t *testing.T) {
	t.Helper()
	require.NoError(t, p.write(t.Context(), refusalTimeout))
}

// start runs the part; stop ends it as a clean stop does.
func (p *process) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.part("refusal").Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

// transactions counts what this process has done with the database.
func (p *process) transactions(t *testing.T) int {
	t.Helper()
	families, err := p.registry.Gather()
	require.NoError(t, err)
	total := 0.0
	for _, family := range families {
		if family.GetName() == "braid_pg_transactions_total" {
			for _, metric := range family.GetMetric() {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return int(total)
}

// event is one that was told.
type event struct {
	User, Permission string
	At               time.Time
	Count            int
}

// events returns what is in the outbox, in its order.
func (b *bench) events(t *testing.T) []event {
	t.Helper()
	rows, err := b.Admin.Query(t.Context(), `select attributes->>'userId', occurred_at, payload from outbox order by position`)
	require.NoError(t, err)
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (event, error) {
		var (
			one     event
			payload []byte
			refused platformv1.AccessRefused
		)
		if err := row.Scan(&one.User, &one.At, &payload); err != nil {
			return event{}, err
		}
		err := proto.Unmarshal(payload, &refused)
		one.Permission, one.Count = refused.GetPermission(), int(refused.GetCount())
		return one, err
	})
	require.NoError(t, err)
	return events
}

func (b *bench) counts(t *testing.T) []int {
	t.Helper()
	var counts []int
	for _, one := range b.events(t) {
		counts = append(counts, one.Count)
	}
	return counts
}

// text returns what a statement says, in one text.
func (b *bench) text(t *testing.T, statement string) string {
	t.Helper()
	var text string
	require.NoError(t, b.Admin.QueryRow(t.Context(), statement).Scan(&text))
	return text
}

func (b *bench) seconds(t *testing.T, statement string) (seconds float64) {
	t.Helper()
	require.NoError(t, b.Admin.QueryRow(t.Context(), statement).Scan(&seconds))
	return seconds
}

func (b *bench) rows(t *testing.T) string { return b.text(t, `select count(*)::text from refusal`) }

func utc(events []event) []event {
	for i := range events {
		events[i].At = events[i].At.UTC()
	}
	return events
}
