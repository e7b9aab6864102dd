package notification_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/smtp"
)

const patience = 20 * time.Second

// awaitState waits until an event's delivery has a state, and returns the reason that stands beside it.
func (b *bench) awaitState(event bus.Event, state string) (reason string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return b.count(`select count(*) from delivery where event_id = $1 and state = $2`, event.ID.String(), state) == 1
	}, patience, 20*time.Millisecond, "no %s delivery; logs:\n%s", state, b.logs)
	return b.text(`select reason from delivery where event_id = $1`, event.ID.String())
}

func (b *bench) outcome(eventType string, into proto.Message) {
	b.t.Helper()
	var payload []byte
	require.NoError(b.t, b.Admin.QueryRow(b.t.Context(), `select payload from outbox where type = $1`, eventType).Scan(&payload))
	require.NoError(b.t, proto.Unmarshal(payload, into))
}

func (b *bench) registration(change func(*identityv1.GetRegistrationMailResponse)) bus.Event {
	b.t.Helper()
	registrationID := id.New().String()
	answer := &identityv1.GetRegistrationMailResponse{
		Email: "ben@example.org", DisplayName: "Ben Canary-Name", Code: "918273", ExpireTime: timestamppb.New(b.clock.Now().Add(15 * time.Minute)),
	}
	if change != nil {
		change(answer)
	}
	b.owners.put(func() { b.owners.registrations[registrationID] = answer })
	return b.event(id.ID{}, id.ID{}, &identityv1.RegistrationRequested{RegistrationId: registrationID})
}

func (b *bench) invitation(change func(*organizationv1.GetInvitationMailResponse)) bus.Event {
	b.t.Helper()
	organizationID, invitationID := id.New(), id.New()
	answer := &organizationv1.GetInvitationMailResponse{
		Email: "eve@example.org", OrganizationDisplayName: "Acme", InviterDisplayName: "Ada", Token: "canary-token", Pending: true,
		ExpireTime: timestamppb.New(b.clock.Now().Add(time.Hour)),
	}
	if change != nil {
		change(answer)
	}
	b.owners.put(func() { b.owners.invitations[organizationID.String()+"/"+invitationID.String()] = answer })
	return b.event(organizationID, id.New(), &organizationv1.InvitationSent{OrganizationId: organizationID.String(), InvitationId: invitationID.String(), Sending: 1})
}

func TestMailsAreSentAndLeaveNoSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	organizationID := id.New()
	_, ada := b.person(organizationID, "ada")
	_, ben := b.person(organizationID, "ben")
	registration, invitation := b.registration(nil), b.invitation(nil)
	comment := b.event(organizationID, ada, &workflowv1.TaskCommented{
		Task: newTask(organizationID, ben), ParticipantIds: []string{ben.String()}, Comment: &workflowv1.Comment{Body: "canary-body"},
	})
	require.NoError(t, b.apply(registration, invitation, comment))
	for _, event := range []bus.Event{registration, invitation, comment} {
		require.Empty(t, b.awaitState(event, "sent"))
	}
	require.Len(t, b.mailer.all(), 3)
	var texts []string
	for _, sent := range b.mailer.all() {
		texts = append(texts, sent.Text)
		require.Equal(t, "braid@example.com", sent.From.Address)
		require.NotContains(t, sent.Text+sent.HTML+sent.Subject+sent.To.Name, "Canary-Name", "nobody writes to a stranger's address")
		require.NotContains(t, sent.Text+sent.HTML+sent.Subject, "canary-body")
	}
	all := strings.Join(texts, "")
	require.Contains(t, all, "\ncode: 918273\n")
	require.Contains(t, all, "https://braid.example.com/invitations/accept?token=canary-token")
	require.Contains(t, all, "ada commented on WEB-12.")
	for _, sent := range b.mailer.all() {
		if strings.Contains(sent.Text, "commented") {
			require.Equal(t, "ben", sent.To.Name)
			require.Equal(t, comment.CorrelationID, sent.CorrelationID)
			require.Equal(t, b.text(`select id::text from delivery where event_id = $1`, comment.ID.String()), sent.DeliveryID.String())
		}
	}

	// Everything that is kept or said, searched as text.
	rows, err := b.Admin.Query(t.Context(), `select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`)
	require.NoError(t, err)
	var tables []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	require.Contains(t, tables, "river_job")
	kept := b.logs.String()
	for _, table := range tables {
		kept += b.text(`select coalesce(string_agg(row::text, ' '), '') from "` + table + `" as row`)
	}
	kept += b.text(`select coalesce(string_agg(encode(payload, 'escape'), ' '), '') from outbox`)
	require.Contains(t, kept, "notification.send_mail", "the search sees the jobs")
	for _, canary := range []string{"918273", "canary-token", "canary-body", "Canary-Name", "example.org", "Acme"} {
		require.NotContains(t, kept, canary)
	}
	require.Equal(t, 3, b.count(`select count(*) from outbox where type = 'notification.notification.delivered'`))
	require.Equal(t, 1, b.count(`select count(*) from outbox where organization_id = $1 and attributes->>'correlationId' = $2
		and attributes->>'userId' = $3`, organizationID.String(), comment.CorrelationID, ada.String()))

	problems, err := testutil.GatherAndLint(b.Registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMailsThatAreNotNeededAnyMore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	organizationID := id.New()
	past := timestamppb.New(b.clock.Now().Add(-time.Minute))
	_, removed := b.person(organizationID, "removed")
	_, gone := b.person(organizationID, "gone")
	mutedToken, muted := b.person(organizationID, "muted")
	assigned := func(userID id.ID) bus.Event {
		return b.event(organizationID, id.New(), &workflowv1.TaskAssigned{Task: newTask(organizationID, userID)})
	}
	unknown := b.event(id.ID{}, id.ID{}, &identityv1.RegistrationRequested{RegistrationId: id.New().String()})
	events := map[string][]bus.Event{
		"the registration is over": {unknown, b.registration(func(answer *identityv1.GetRegistrationMailResponse) { answer.ExpireTime = past }),
			b.registration(func(answer *identityv1.GetRegistrationMailResponse) { answer.Code = "" })},
		"the invitation no longer waits for an answer": {
			b.invitation(func(answer *organizationv1.GetInvitationMailResponse) { answer.Pending = false }),
			b.invitation(func(answer *organizationv1.GetInvitationMailResponse) { answer.ExpireTime = past })},
		"the person is no member any more":     {assigned(removed)},
		"the person is gone":                   {assigned(gone)},
		"the person has turned such mails off": {assigned(muted)},
	}
	for _, group := range events {
		require.NoError(t, b.apply(group...))
	}
	// All of this happens between the event and the sending.
	b.rest.Roles.Remove(organizationID, removed)
	b.owners.put(func() { delete(b.owners.users, gone.String()) })
	answer := b.rest.REST("PATCH", preferencesPath, mutedToken, map[string]any{"preferences": []any{map[string]any{"kind": "task_assigned", "channel": "email", "enabled": false}}})
	require.Equal(t, 200, answer.Status, answer.Text)
	b.work()
	for reason, group := range events {
		for _, event := range group {
			require.Equal(t, reason, b.awaitState(event, "skipped"))
		}
	}
	require.Empty(t, b.mailer.all())
	require.Zero(t, b.count(`select count(*) from outbox where type like 'notification.notification.%'`))
}

func TestKnownAddress(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.work()
	event := b.registration(func(answer *identityv1.GetRegistrationMailResponse) { answer.AccountExists, answer.Code = true, "" })
	require.NoError(t, b.apply(event))
	b.awaitState(event, "sent")
	require.Contains(t, b.mailer.all()[0].Text, "already has one")
}

func TestAMailIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.mailer.faults = []error{&smtp.Failure{Step: "RCPT", Code: 451}, &smtp.Failure{Step: "connect"}}
	b.work()
	event := b.registration(nil)
	require.NoError(t, b.apply(event))
	b.awaitState(event, "sent")
	require.Len(t, b.mailer.all(), 1)
	var delivered notificationv1.NotificationDelivered
	b.outcome("notification.notification.delivered", &delivered)
	require.EqualValues(t, 3, delivered.GetAttempts())
	require.Equal(t, "email", delivered.GetChannel())
	require.Equal(t, "registration", delivered.GetKind())
	require.Empty(t, delivered.GetUserId())
}

func TestAMailIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  error
		last   bool
		reason string
	}{
		"refused for good": {&smtp.Failure{Step: "RCPT", Code: 550, Permanent: true}, false, "the mail server answered 550 to RCPT"},
		"bad address":      {mail.ErrAddress, false, "the recipient's address is not valid"},
		"last try":         {&smtp.Failure{Step: "RCPT", Code: 451}, true, "the mail server answered 451 to RCPT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.mailer.faults = []error{test.fault, test.fault}
			event := b.registration(nil)
			require.NoError(t, b.apply(event))
			if test.last {
				_, err := b.Admin.Exec(t.Context(), `update river_job set max_attempts = 1`)
				require.NoError(t, err)
			}
			b.work()
			require.Equal(t, test.reason, b.awaitState(event, "failed"))
			require.Eventually(t, func() bool {
				return b.count(`select count(*) from river_job where finalized_at is null`) == 0
			}, patience, 20*time.Millisecond)
			require.Equal(t, 1, b.mailer.tried())
			var failed notificationv1.NotificationFailed
			b.outcome("notification.notification.failed", &failed)
			require.Equal(t, test.reason, failed.GetReason())
			require.EqualValues(t, 1, failed.GetAttempts())
			require.Contains(t, b.logs.String(), "job given up")
			for line := range strings.Lines(b.logs.String()) {
				require.LessOrEqual(t, strings.Count(line, test.reason), 1, "a line says it once: %s", line)
			}
		})
	}
}

func TestAnOutageOfAnOwnerCountsNoTry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.owners.put(func() { b.owners.fault = connect.NewError(connect.CodeUnavailable, errors.New("away")) })
	event := b.registration(nil)
	require.NoError(t, b.apply(event))
	b.work()
	require.Eventually(t, func() bool {
		return b.count(`select count(*) from river_job where state in ('scheduled', 'available') and scheduled_at > now()`) == 1
	}, patience, 20*time.Millisecond)
	b.owners.put(func() { b.owners.fault = nil })
	b.awaitState(event, "sent")
	var delivered notificationv1.NotificationDelivered
	b.outcome("notification.notification.delivered", &delivered)
	require.EqualValues(t, 1, delivered.GetAttempts())
}

// TestADeliveryThatIsOverIsNotSentAgain runs the job a second time, as after a crash between its effect and its end.
func TestADeliveryThatIsOverIsNotSentAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	event := b.registration(nil)
	require.NoError(t, b.apply(event))
	deliveryID := id.MustParse(b.text(`select id::text from delivery`))
	for range 2 {
		require.NoError(t, b.delivery.Send(t.Context(), app.SendMail{DeliveryID: deliveryID}))
	}
	require.NoError(t, b.delivery.Send(t.Context(), app.SendMail{DeliveryID: id.New()}))
	require.Equal(t, 1, b.mailer.tried())
	require.Equal(t, 1, b.count(`select count(*) from outbox`))
}

// TestTheSameMailTwiceHasTheSameMessageID is what is left when the mail server has taken a mail and we can't note it.
func TestTheSameMailTwiceHasTheSameMessageID(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.apply(b.registration(nil)))
	deliveryID := id.MustParse(b.text(`select id::text from delivery`))
	_, err := b.Owner.Exec(t.Context(), `alter table outbox rename to outbox_away`)
	require.NoError(t, err)
	require.Error(t, b.delivery.Send(t.Context(), app.SendMail{DeliveryID: deliveryID}))
	require.Equal(t, "pending", b.text(`select state from delivery`), "outcome and event are one transaction")
	_, err = b.Owner.Exec(t.Context(), `alter table outbox_away rename to outbox`)
	require.NoError(t, err)
	require.NoError(t, b.delivery.Send(t.Context(), app.SendMail{DeliveryID: deliveryID}))
	sent := b.mailer.all()
	require.Len(t, sent, 2)
	require.Equal(t, sent[0].DeliveryID, sent[1].DeliveryID)
}

// TestARolledBackEventLeavesNoJob holds the promise that a mail is planned in the consumer's transaction or not at all.
func TestARolledBackEventLeavesNoJob(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	failure := errors.New("the batch failed")
	err := b.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		if err := b.notifier.PlanRegistrationMail(ctx, tx, id.New(), id.New(), b.clock.Now()); err != nil {
			return err
		}
		return failure
	})
	require.ErrorIs(t, err, failure)
	require.Zero(t, b.count(`select count(*) from river_job`)+b.count(`select count(*) from delivery`))
}
