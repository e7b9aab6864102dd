package notification_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/mail"
)

func TestWhoIsToldOfATask(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	_, eve := b.person(organizationID, "eve")
	_, outsider := b.rest.SignIn(organizationID, "")
	everybody := []string{ada.String(), ben.String(), outsider.String()}

	for name, test := range map[string]struct {
		message proto.Message
		actor   id.ID
		kind    string
		told    []id.ID
	}{
		"created with assignee":      {&workflowv1.TaskCreated{Task: newTask(organizationID, ben)}, ada, "task_assigned", []id.ID{ben}},
		"created without assignee":   {&workflowv1.TaskCreated{Task: newTask(organizationID, id.ID{})}, ada, "", nil},
		"created for oneself":        {&workflowv1.TaskCreated{Task: newTask(organizationID, ada)}, ada, "", nil},
		"assigned":                   {&workflowv1.TaskAssigned{Task: newTask(organizationID, ben), PreviousAssigneeId: eve.String(), ParticipantIds: everybody}, ada, "task_assigned", []id.ID{ben, eve}},
		"assigned by a participant":  {&workflowv1.TaskAssigned{Task: newTask(organizationID, eve), ParticipantIds: everybody}, ben, "task_assigned", []id.ID{ada, eve}},
		"taken":                      {&workflowv1.TaskAssigned{Task: newTask(organizationID, ben), PreviousAssigneeId: eve.String(), ParticipantIds: everybody}, ben, "task_assigned", []id.ID{ada, eve}},
		"assigned to nobody":         {&workflowv1.TaskAssigned{Task: newTask(organizationID, id.ID{}), PreviousAssigneeId: ben.String(), ParticipantIds: []string{ada.String()}}, eve, "task_assigned", []id.ID{ada, ben}},
		"taken from who has left":    {&workflowv1.TaskAssigned{Task: newTask(organizationID, id.ID{}), PreviousAssigneeId: outsider.String(), ParticipantIds: everybody}, id.ID{}, "task_assigned", []id.ID{ada, ben}},
		"assigned to a stranger":     {&workflowv1.TaskAssigned{Task: newTask(organizationID, outsider)}, ada, "", nil},
		"assigned by an old version": {&workflowv1.TaskAssigned{Task: newTask(organizationID, ben), PreviousAssigneeId: eve.String()}, ada, "task_assigned", []id.ID{ben, eve}},
		"commented":                  {&workflowv1.TaskCommented{Task: newTask(organizationID, ben), ParticipantIds: everybody, Comment: &workflowv1.Comment{Body: "hidden"}}, eve, "task_commented", []id.ID{ada, ben}},
		"commented by a participant": {&workflowv1.TaskCommented{Task: newTask(organizationID, ben), ParticipantIds: everybody}, ben, "task_commented", []id.ID{ada}},
		"moved":                      {&workflowv1.TaskStatusChanged{Task: newTask(organizationID, ben), ParticipantIds: everybody}, ada, "task_status_changed", []id.ID{ben}},
		"moved by nobody":            {&workflowv1.TaskStatusChanged{Task: newTask(organizationID, ben), ParticipantIds: everybody}, id.ID{}, "task_status_changed", []id.ID{ada, ben}},
	} {
		event := b.event(organizationID, test.actor, test.message)
		require.NoError(t, b.apply(event), name)
		require.Equal(t, len(test.told), b.count(`select count(*) from notification where event_id = $1`, event.ID.String()), name)
		require.Equal(t, len(test.told), b.count(`select count(*) from delivery where event_id = $1`, event.ID.String()), name)
		for _, userID := range test.told {
			require.Equal(t, 1, b.count(`select count(*) from notification n join delivery d using (event_id, user_id, kind, organization_id)
				where event_id = $1 and user_id = $2 and kind = $3 and organization_id = $4 and n.task_id = d.task_id`,
				event.ID.String(), userID.String(), test.kind, organizationID.String()), name)
		}
	}
}

// TestAssignmentsReadAsTheyConcernTheReader looks at one event in four inboxes and mailboxes.
func TestAssignmentsReadAsTheyConcernTheReader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ada := b.person(organizationID, "Ada")
	_, ben := b.person(organizationID, "Ben")
	_, eve := b.person(organizationID, "Eve")
	participants := []string{ada.String(), ben.String()}
	handed := b.event(organizationID, id.New(), &workflowv1.TaskAssigned{
		Task: newTask(organizationID, ben), PreviousAssigneeId: eve.String(), ParticipantIds: participants,
	})
	dropped := b.event(organizationID, ada, &workflowv1.TaskAssigned{
		Task: newTask(organizationID, id.ID{}), PreviousAssigneeId: ben.String(), ParticipantIds: []string{ada.String(), eve.String()},
	})
	require.NoError(t, b.apply(handed, dropped))
	b.work()
	for _, test := range []struct {
		event                    bus.Event
		reader                   id.ID
		address, title, sentence string
	}{
		{handed, ben, "Ben@example.org", "WEB-12 was assigned to you: Fix the login", "Somebody assigned WEB-12 to you."},
		{handed, eve, "Eve@example.org", "WEB-12 is no longer assigned to you: Fix the login", "Somebody assigned WEB-12 to Ben."},
		{handed, ada, "Ada@example.org", "WEB-12 has a new assignee: Fix the login", "Somebody assigned WEB-12 to Ben."},
		{dropped, ben, "Ben@example.org", "WEB-12 is no longer assigned to you: Fix the login", "Ada took you off WEB-12."},
		{dropped, eve, "Eve@example.org", "WEB-12 is no longer assigned: Fix the login", "Ada left WEB-12 without an assignee."},
	} {
		require.Equal(t, test.title, b.text(`select title from notification where event_id = $1 and user_id = $2`,
			test.event.ID.String(), test.reader.String()))
		require.Eventually(t, func() bool {
			return slices.ContainsFunc(b.mailer.all(), func(sent mail.Message) bool {
				return sent.To.Address == test.address && strings.Contains(sent.Text, test.sentence)
			})
		}, 20*time.Second, 10*time.Millisecond, test.sentence)
	}
	require.Len(t, b.mailer.all(), 5)
}

// TestTwiceAndOutOfOrder applies the same events in two orders and more than once: what comes of them is the same.
func TestTwiceAndOutOfOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	task := newTask(organizationID, ben)
	participants := []string{ada.String(), ben.String()}
	events := []bus.Event{
		b.event(organizationID, ada, &workflowv1.TaskCreated{Task: task}),
		b.event(organizationID, ada, &workflowv1.TaskAssigned{Task: task, PreviousAssigneeId: ben.String(), ParticipantIds: participants}),
		b.event(organizationID, ben, &workflowv1.TaskCommented{Task: task, ParticipantIds: participants}),
		b.event(organizationID, ada, &workflowv1.TaskStatusChanged{Task: task, ParticipantIds: participants}),
		b.event(id.ID{}, id.ID{}, &identityv1.RegistrationRequested{RegistrationId: id.New().String()}),
		b.event(organizationID, ada, &organizationv1.InvitationSent{OrganizationId: organizationID.String(), InvitationId: id.New().String()}),
	}
	require.NoError(t, b.apply(events...))
	const everything = `select string_agg(row::text, E'\n' order by row::text) from (
		select id, user_id, kind, title, created_at from notification union all
		select id, user_id, kind, state, created_at from delivery) as row`
	before, jobs := b.text(everything), b.count(`select count(*) from river_job`)
	require.Equal(t, 4, b.count(`select count(*) from notification`))
	require.Equal(t, 6, b.count(`select count(*) from delivery`))
	require.Equal(t, 6, jobs)

	for range 3 {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		require.NoError(t, b.apply(append(events, events[0])...))
		for _, event := range events {
			require.NoError(t, b.apply(event))
		}
	}
	require.Equal(t, before, b.text(everything))
	require.Equal(t, jobs, b.count(`select count(*) from river_job`))

	_, err := b.Admin.Exec(t.Context(), `truncate notification, delivery, river_job`)
	require.NoError(t, err)
	require.NoError(t, b.apply(events...))
	require.Equal(t, before, b.text(everything), "whatever order they come in")
}

func TestNobodyIsToldWhileMembershipIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ben := b.person(organizationID, "ben")
	event := b.event(organizationID, id.New(), &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})
	b.rest.Roles.Fail(errs.New(errs.Unavailable, "UNAVAILABLE", "Nobody can tell."))
	require.Equal(t, errs.Unavailable, errs.KindOf(b.apply(event)), "the inbox tries again without end on this kind")
	require.Zero(t, b.count(`select count(*) from notification`))
	b.rest.Roles.Fail(nil)
	require.NoError(t, b.apply(event))
	require.Equal(t, 1, b.count(`select count(*) from notification`))
}

func TestEventsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	task := newTask(organizationID, id.New())
	task.ProjectId = "none"
	for _, message := range []proto.Message{
		&identityv1.RegistrationRequested{}, &organizationv1.InvitationSent{OrganizationId: organizationID.String()},
		&workflowv1.TaskCreated{}, &workflowv1.TaskCreated{Task: task},
		&workflowv1.TaskCommented{Task: newTask(organizationID, id.ID{}), ParticipantIds: []string{"ben"}},
	} {
		require.ErrorIs(t, b.apply(b.event(organizationID, id.New(), message)), bus.ErrMalformed)
	}
	garbled := b.event(organizationID, id.New(), &workflowv1.TaskCreated{})
	garbled.Data = []byte{0xff}
	require.ErrorIs(t, b.apply(garbled), bus.ErrMalformed)
	require.Zero(t, b.count(`select count(*) from notification`)+b.count(`select count(*) from delivery`))
}

func TestPreferencesDecideWhoIsToldWhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	token, ben := b.person(organizationID, "ben")
	_, eve := b.person(organizationID, "eve")
	answer := b.rest.REST("PATCH", "/api/v1/me/notification-preferences", token, map[string]any{"preferences": []any{
		map[string]any{"kind": "task_commented", "channel": "in_app", "enabled": false},
		map[string]any{"kind": "task_assigned", "channel": "email", "enabled": false},
	}})
	require.Equal(t, 200, answer.Status, answer.Text)
	participants := []string{ben.String(), eve.String()}
	commented := b.event(organizationID, id.New(), &workflowv1.TaskCommented{Task: newTask(organizationID, ben), ParticipantIds: participants})
	assigned := b.event(organizationID, id.New(), &workflowv1.TaskAssigned{Task: newTask(organizationID, ben)})
	require.NoError(t, b.apply(commented, assigned))
	for table, wanted := range map[string]map[id.ID][]id.ID{
		"notification": {commented.ID: {eve}, assigned.ID: {ben}},
		"delivery":     {commented.ID: {ben, eve}, assigned.ID: nil},
	} {
		for eventID, told := range wanted {
			require.Equal(t, len(told), b.count(`select count(*) from `+table+` where event_id = $1`, eventID.String()), table)
			for _, userID := range told {
				require.Equal(t, 1, b.count(`select count(*) from `+table+` where event_id = $1 and user_id = $2`, eventID.String(), userID.String()))
			}
		}
	}
}

func TestRowsAreClosedToOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	_, ben := b.person(organizationID, "ben")
	_, eve := b.person(organizationID, "eve")
	require.NoError(t, b.apply(b.event(organizationID, eve, &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})))
	count := func(scope pg.Scope, table string) (rows int) {
		require.NoError(t, b.DB.Read(scope).QueryRow(t.Context(), `select count(*) from `+table).Scan(&rows))
		return rows
	}
	require.Equal(t, 1, count(pg.Scope{UserID: ben}, "notification"))
	for _, scope := range []pg.Scope{{}, {UserID: eve}, {OrganizationID: organizationID}, {OrganizationID: organizationID, UserID: eve}} {
		require.Zero(t, count(scope, "notification"))
	}
	write := func(scope pg.Scope, sql string, arguments ...any) error {
		return b.DB.InTx(t.Context(), scope, func(ctx context.Context, tx *pg.Tx) error {
			tag, err := tx.Exec(ctx, sql, arguments...)
			if err == nil && tag.RowsAffected() == 0 {
				return pg.ErrNoRows
			}
			return err
		})
	}
	own := pg.Scope{UserID: ben}
	require.ErrorIs(t, write(pg.Scope{UserID: eve}, `update notification set read_at = $1`, time.Now()), pg.ErrNoRows)
	require.NoError(t, write(own, `update notification set read_at = $1`, time.Now()))
	require.ErrorContains(t, write(own, `update notification set title = 'changed'`), "permission denied")
	require.ErrorContains(t, write(own, `delete from notification`), "permission denied")
	const setPreference = `insert into preference (user_id, kind, channel, enabled, updated_at) values ($1, 'task_assigned', 'email', false, now())`
	require.ErrorContains(t, write(own, setPreference, eve), "row-level security")
	require.NoError(t, write(own, setPreference, ben))
	require.Zero(t, count(pg.Scope{UserID: eve}, "preference"))
	for _, table := range []string{"delivery", "mailbox_message", "river_job", "inbox"} {
		err := b.DB.Read(own).QueryRow(t.Context(), `select count(*) from `+table).Scan(new(int))
		require.ErrorContains(t, err, "permission denied", table)
	}
}
