package workflow

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/consumer"
)

// hear handles an event as the consumer does: under the worker role, in a transaction.
func (f *fixture) hear(message proto.Message, at time.Time) error {
	data, err := proto.Marshal(message)
	require.NoError(f.t, err)
	event := bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: data, Time: at,
		OrganizationID: f.organizationID, CorrelationID: "membership", Actor: call.Actor{Kind: call.User, UserID: id.New()},
	}
	handle := consumer.NewOrganization(f.cases).Handlers()[event.Type]
	return f.database.InWorkerTx(f.t.Context(), func(ctx context.Context, tx *pg.Tx) error { return handle(ctx, tx, []bus.Event{event}) })
}

func (f *fixture) memberRemoved(userID id.ID, at time.Time) error {
	return f.hear(&organizationv1.MemberRemoved{OrganizationId: f.organizationID.String(), UserId: userID.String()}, at)
}

func (f *fixture) memberAdded(userID id.ID, at time.Time) error {
	return f.hear(&organizationv1.MemberAdded{OrganizationId: f.organizationID.String(), UserId: userID.String()}, at)
}

func TestRemovedMemberLosesOpenTasks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, second := f.project("WEB"), f.project("APP")
	mine := map[string]any{"assigneeId": f.viewerID.String()}
	open := f.task(first, mine)["id"].(string)
	moved := f.task(second, mine)["id"].(string)
	cancelled := f.task(first, mine)["id"].(string)
	others := f.task(first, map[string]any{"assigneeId": f.memberID.String()})["id"].(string)
	f.must("POST", f.path("/tasks/"+moved+":transition"), f.memberToken, map[string]any{"status": "in_progress"})
	f.must("POST", f.path("/tasks/"+cancelled+":transition"), f.memberToken, map[string]any{"status": "cancelled"})
	f.must("POST", f.path("/projects/"+second+":archive"), f.adminToken, map[string]any{})
	before := len(f.events())

	require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()))
	assignee := func(taskID string) any {
		return f.must("GET", f.path("/tasks/"+taskID), f.memberToken, nil)["assigneeId"]
	}
	require.Empty(t, assignee(open))
	require.Empty(t, assignee(moved), "an archived project is no refuge")
	require.Equal(t, f.viewerID.String(), assignee(cancelled), "what is finished stays as it was")
	require.Equal(t, f.memberID.String(), assignee(others))
	require.Equal(t, []string{"workflow.task.assigned", "workflow.task.assigned"}, f.events()[before:])
	event := &workflowv1.TaskAssigned{}
	f.lastEvent("workflow.task.assigned", event)
	require.Equal(t, f.viewerID.String(), event.GetPreviousAssigneeId())
	require.Empty(t, event.GetTask().GetAssigneeId())
	require.Equal(t, 2, f.count(`select count(*) from outbox
		where attributes->>'actorKind' = 'system' and attributes->>'correlationId' = 'membership' and organization_id = $1`, f.organizationID.String()))
	f.requireRevisions(id.MustParse(first), 5)
	f.requireRevisions(id.MustParse(second), 4)

	require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()), "the same event twice")
	require.Len(t, f.events(), before+2)
}

func TestRemovedMemberWithMoreTasksThanABatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	projectID := id.MustParse(f.project("WEB"))
	f.create(f.process, projectID, 450)
	_, err := f.pg.Admin.Exec(t.Context(), `update task set assignee_id = $1`, f.viewerID.String())
	require.NoError(t, err)
	require.NoError(t, f.memberRemoved(f.viewerID, f.clock.Now()))
	require.Zero(t, f.count(`select count(*) from task where assignee_id is not null`))
	f.requireRevisions(projectID, 900)
}

func TestOtherOrganizationsTasksStay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.task(f.project("WEB"), map[string]any{"assigneeId": f.viewerID.String()})
	other := *f
	other.organizationID = id.New()
	require.NoError(t, other.memberRemoved(f.viewerID, f.clock.Now()))
	require.Equal(t, 1, f.count(`select count(*) from task where assignee_id = $1`, f.viewerID.String()))
}

func TestUnreadableRemovalIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for eventType, handle := range consumer.NewOrganization(f.cases).Handlers() {
		schema := map[string]string{"organization.member.removed": "MemberRemoved", "organization.member.added": "MemberAdded"}[eventType]
		for _, event := range []bus.Event{
			{Schema: "braid.organization.v1.MemberRolesChanged"},
			{Schema: "braid.organization.v1." + schema},
			{Schema: "braid.organization.v1." + schema, Data: []byte{0xff}},
		} {
			require.Error(t, f.database.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error { return handle(ctx, tx, []bus.Event{event}) }))
		}
	}
}
