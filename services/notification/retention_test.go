package notification_test

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/notification/internal/app"
)

const day = 24 * time.Hour

func (b *bench) retention() *app.Retention {
	return &app.Retention{DB: b.DB, Clock: b.clock, ReadLifetime: 90 * day, Lifetime: 365 * day, Metrics: b.delivery.Metrics}
}

func TestOldDeliveriesAreRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.apply(b.registration(nil), b.registration(nil)))
	first := id.MustParse(b.text(`select id::text from delivery limit 1`))
	require.NoError(t, b.delivery.Send(t.Context(), app.SendMail{DeliveryID: first}))
	b.clock.Advance(29 * day)
	require.NoError(t, b.retention().PurgeDeliveries(t.Context(), app.PurgeDeliveries{}))
	require.Equal(t, 2, b.count(`select count(*) from delivery`))
	b.clock.Advance(2 * day)
	require.NoError(t, b.retention().PurgeDeliveries(t.Context(), app.PurgeDeliveries{}))
	require.Equal(t, 1, b.count(`select count(*) from delivery where state = 'pending'`), "what waits is kept")
	require.Equal(t, 1, b.count(`select count(*) from delivery`))
}

func TestOldNotificationsAreRemoved(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	token, ben := b.person(organizationID, "ben")
	task := newTask(organizationID, ben)
	require.NoError(t, b.apply(
		b.event(organizationID, ada, &workflowv1.TaskCreated{Task: task}),
		b.event(organizationID, ada, &workflowv1.TaskCommented{Task: task, ParticipantIds: []string{ben.String()}}),
	))
	left := func(after time.Duration) []any {
		b.clock.Advance(after)
		require.NoError(t, b.retention().PurgeNotifications(t.Context(), app.PurgeNotifications{}))
		kinds := []any{}
		for _, item := range items(b.list(token, "")) {
			kinds = append(kinds, item["kind"])
		}
		return kinds
	}
	require.Len(t, left(100*day), 2, "what is unread is not over so soon")
	require.Equal(t, 200, b.rest.REST("POST", notificationsPath+":markRead", token,
		map[string]any{"notificationIds": []any{items(b.list(token, ""))[0]["id"]}}).Status)
	require.Len(t, left(90*day), 2, "the 90 days begin with the reading")
	require.Equal(t, []any{"task_assigned"}, left(time.Minute))
	require.Len(t, left(174*day), 1)
	require.Empty(t, left(day))

	count, err := testutil.GatherAndCount(b.Registry, "braid_notification_expired_rows_total")
	require.NoError(t, err)
	require.Equal(t, 2, count, "by kind")
}

// insertOld makes notifications that are this old and, when readFor is not zero, were read so long ago.
func (b *bench) insertOld(rows int, age, readFor time.Duration) {
	b.t.Helper()
	var readTime *time.Time
	if readFor != 0 {
		at := time.Now().Add(-readFor)
		readTime = &at
	}
	_, err := b.Admin.Exec(b.t.Context(), `insert into notification (id, user_id, organization_id, event_id, kind, title,
project_id, task_id, task_key, created_at, read_at)
select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'task_assigned', 'x', gen_random_uuid(),
	gen_random_uuid(), 'WEB-1', $1, $2 from generate_series(1, $3)`, time.Now().Add(-age), readTime, rows)
	require.NoError(b.t, err)
}

// TestRetentionRuns runs the service as it is assembled: its job removes more than one batch, as the worker role may.
func TestRetentionRuns(t *testing.T) {
	t.Parallel()
	environment, database := newEnvironment(t, &owners{})
	b := &bench{t: t, Database: database}
	b.insertOld(5001, 366*day, 0)
	b.insertOld(5001, 100*day, 91*day)
	b.insertOld(1, 364*day, 89*day)
	b.insertOld(1, 364*day, 0)
	assembled, err := notification.New(environment, goodConfig())
	require.NoError(t, err)
	for _, part := range assembled.Parts {
		runPart(t, part)
	}
	require.Eventually(t, func() bool { return b.count(`select count(*) from notification`) == 2 }, patience, 50*time.Millisecond)
	require.Equal(t, 2, b.count(`select count(*) from notification where created_at > now() - interval '365 days'
		and (read_at is null or read_at > now() - interval '90 days')`), "the others are kept")
}
