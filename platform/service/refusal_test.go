package service

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/testkit/pgtest"
)

type bench struct {
	*refusals
	*pgtest.Database
	clock *clock.Manual
	work  call.Call
}

func newBench(t *testing.T) *bench {
	t.Helper()
	database := pgtest.Open(t, "refusal", outbox.Migrations())
	manual := clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	refusals := newRefusals("refusal", database.DB, manual, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	return &bench{refusals: refusals, Database: database, clock: manual, work: call.Call{
		Procedure: "/braid.workflow.v1.TaskService/CreateTask", CorrelationID: "corr-1", OrganizationID: id.New(),
		Actor: call.Actor{Kind: call.User, UserID: id.New(), Token: "secret-token"},
	}}
}

func (b *bench) refuse(t *testing.T, permission string) {
	work := b.work
	b.Refused(call.With(t.Context(), &work), permission)
}

// sweep writes what may be written now, as the part's ticker does.
func (b *bench) sweep(t *testing.T) {
	for _, key := range b.due() {
		b.write(t.Context(), key)
	}
}

// written returns the refusals in the outbox in their order.
func (b *bench) written(t *testing.T) []*platformv1.AccessRefused {
	t.Helper()
	rows, err := b.Admin.Query(t.Context(), `select payload from outbox order by position`)
	require.NoError(t, err)
	defer rows.Close()
	var all []*platformv1.AccessRefused
	for rows.Next() {
		var data []byte
		require.NoError(t, rows.Scan(&data))
		refused := &platformv1.AccessRefused{}
		require.NoError(t, proto.Unmarshal(data, refused))
		require.NotContains(t, string(data), "secret-token")
		all = append(all, refused)
	}
	require.NoError(t, rows.Err())
	return all
}

func (b *bench) counts(t *testing.T) []int32 {
	t.Helper()
	var counts []int32
	for _, refused := range b.written(t) {
		counts = append(counts, refused.GetCount())
	}
	return counts
}

func TestFirstRefusalIsRecordedAtOnceAndMoreWithTheirCount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- b.part("refusal").Run(ctx) }()
	b.refuse(t, "workflow.task.create")
	require.Eventually(t, func() bool { return len(b.counts(t)) == 1 }, 10*time.Second, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-stopped)
	first := b.written(t)[0]
	require.Equal(t, "workflow.task.create", first.GetPermission())
	require.Equal(t, "/braid.workflow.v1.TaskService/CreateTask", first.GetProcedure())
	require.EqualValues(t, 1, first.GetCount())

	for range 5 {
		b.refuse(t, "workflow.task.create")
	}
	b.clock.Advance(refusalInterval - time.Second)
	b.sweep(t)
	require.Equal(t, []int32{1}, b.counts(t), "at most one a minute")
	b.clock.Advance(time.Second)
	b.sweep(t)
	require.Equal(t, []int32{1, 5}, b.counts(t))
	b.sweep(t)
	b.clock.Advance(refusalInterval)
	b.sweep(t)
	require.Equal(t, []int32{1, 5}, b.counts(t), "nothing was refused since")
	require.Empty(t, b.known, "what is quiet is forgotten")
}

func TestActorsAndPermissionsAreCountedApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.refuse(t, "workflow.task.create")
	b.refuse(t, "workflow.task.delete")
	b.work.Actor.UserID = id.New()
	b.refuse(t, "workflow.task.create")
	b.work.OrganizationID = id.New()
	b.refuse(t, "workflow.task.create")
	b.sweep(t)
	require.Equal(t, []int32{1, 1, 1, 1}, b.counts(t))
}

// An attacker must not fill our memory: what finds no room is only counted.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range maxRefusals + 10 {
		b.refuse(t, fmt.Sprint(i))
	}
	require.Len(t, b.known, maxRefusals)
	require.InDelta(t, 10, testutil.ToFloat64(b.dropped), 0)
	b.refuse(t, "0")
	require.InDelta(t, 10, testutil.ToFloat64(b.dropped), 0, "those that are known still count")
}

// What could not be written is not lost: it is tried again with its count.
func TestRefusalIsKeptWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.refuse(t, "workflow.task.create")
	b.refuse(t, "workflow.task.create")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, key := range b.due() {
		b.write(ended, key)
	}
	require.Empty(t, b.counts(t))
	b.clock.Advance(refusalSweep)
	b.sweep(t)
	require.Equal(t, []int32{2}, b.counts(t))
}
