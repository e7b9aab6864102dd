package organization

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/deletion"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// deletionBundle is an organization that its owner has asked to be deleted, and two services that answer what a test says.
type deletionBundle struct {
	*testBundle
	saga           *deletion.Saga
	ada            person
	organizationID id.ID
	path           string
	attempt        string
}

func newDeletion(t *testing.T) *deletionBundle {
	t.Helper()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	b := &deletionBundle{
		testBundle: bundle, ada: ada, organizationID: organizationID, path: path,
		saga: newSaga(bundle, "billing", "workflow"),
	}
	bundle.takeEvents(t)
	b.request(t)
	return b
}

func newSaga(bundle *testBundle, services ...string) *deletion.Saga {
	return deletion.New(deletion.Config{
		Kind: erasure.Organization, DB: bundle.database.DB, Services: services, Enter: bundle.app.EnterDeletion,
		Clock: bundle.clock, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
}

func (b *deletionBundle) request(t *testing.T) {
	t.Helper()
	answer := b.REST("POST", b.path+":delete", b.ada.token, map[string]any{"confirmName": "Acme"})
	require.Equal(t, 200, answer.Status, answer.Text)
	requested := b.takeEvents(t)
	require.Equal(t, []string{"organization.organization.deletion_requested"}, types(requested))
	b.attempt = requested[0].Payload.(*organizationv1.OrganizationDeletionRequested).GetAttemptId()
}

// advance takes the saga as far as it goes by itself and returns what it tells.
func (b *deletionBundle) advance(t *testing.T) []told {
	t.Helper()
	require.NoError(t, b.saga.Advance(t.Context()))
	return b.takeEvents(t)
}

// answer is what a service says, as the consumer hears it.
func (b *deletionBundle) answer(t *testing.T, service string, message proto.Message) {
	t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(t, err)
	event := bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: data,
		Source: bus.Source(service), OrganizationID: b.organizationID, Time: b.clock.Now(),
	}
	handler := b.saga.Handlers()[event.Type]
	require.NoError(t, b.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return handler(ctx, tx, []bus.Event{event})
	}))
}

func (b *deletionBundle) prepared(t *testing.T, service, reason string) {
	t.Helper()
	b.answer(t, service, &platformv1.OrganizationPrepared{
		OrganizationId: b.organizationID.String(), AttemptId: b.attempt, Refused: reason != "", Reason: reason,
	})
}

func (b *deletionBundle) erased(t *testing.T, service string, rows int64) {
	t.Helper()
	b.answer(t, service, &platformv1.OrganizationErased{
		OrganizationId: b.organizationID.String(), AttemptId: b.attempt, Tables: []*platformv1.ErasedTable{{Name: "one", Rows: rows}, {Name: "two", Rows: 1}},
	})
}

// eraseOwn does what this service's own eraser does.
func (b *deletionBundle) eraseOwn(t *testing.T) {
	t.Helper()
	for _, table := range []string{"invitation_token", "invitation", "member"} {
		_, err := b.database.Admin.Exec(t.Context(), `delete from `+table+` where organization_id = $1`, b.organizationID)
		require.NoError(t, err)
	}
}

// shown is the deletion as somebody reads it.
func (b *deletionBundle) shown(t *testing.T, who person) *organizationv1.Deletion {
	t.Helper()
	found, err := organizationv1connect.NewDeletionServiceClient(b.As(who.token)).GetDeletion(t.Context(),
		&organizationv1.GetDeletionRequest{OrganizationId: b.organizationID.String()})
	require.NoError(t, err)
	return found
}

func (b *deletionBundle) state(t *testing.T) string {
	t.Helper()
	answer := b.REST("GET", b.path, b.ada.token, nil)
	require.Equal(t, 200, answer.Status, answer.Text)
	return answer.Body["state"].(string)
}

func TestDeletionGoesOverAllServices(t *testing.T) {
	t.Parallel()
	b := newDeletion(t)
	require.Empty(t, b.advance(t), "within the grace nothing happens")
	require.Equal(t, "PENDING_DELETION", b.state(t))
	b.clock.Advance(grace)
	require.Equal(t, []string{"organization.organization.deletion_started"}, types(b.advance(t)))
	require.Empty(t, b.advance(t), "asked once, they have time")

	b.prepared(t, "workflow", "")
	require.Empty(t, b.advance(t), "one is missing")
	b.prepared(t, "workflow", "")
	b.prepared(t, "stranger", "")
	b.erased(t, "billing", 1)
	require.Empty(t, b.advance(t), "none of these is an answer of billing to what it was asked")
	b.prepared(t, "billing", "")
	require.Equal(t, []string{"organization.organization.erasure_started"}, types(b.advance(t)))
	require.Equal(t, organizationv1.Deletion_ERASING, b.shown(t, b.ada).GetState())
	held, err := b.app.GetEffectivePermissions(t.Context(), b.organizationID, b.ada.UserID, 0)
	require.NoError(t, err)
	require.False(t, held.GetMember(), "nobody is a member of what is being erased")

	b.answer(t, "billing", &platformv1.OrganizationErasureDelayed{
		OrganizationId: b.organizationID.String(), AttemptId: b.attempt, Failures: 2, Reason: "UNAVAILABLE",
	})
	b.answer(t, "billing", &platformv1.OrganizationErasureDelayed{
		OrganizationId: b.organizationID.String(), AttemptId: b.attempt, Failures: 1, Reason: "UNAVAILABLE",
	})
	b.clock.Advance(time.Second)
	b.erased(t, "workflow", 41)
	b.prepared(t, "billing", "Too late.")
	require.Empty(t, b.advance(t))
	steps := b.shown(t, b.ada).GetSteps()
	require.Len(t, steps, 2)
	require.Equal(t, []any{"billing", organizationv1.DeletionStep_ERASING, int32(2), "UNAVAILABLE", true},
		[]any{steps[0].GetService(), steps[0].GetState(), steps[0].GetFailures(), steps[0].GetLastError(), steps[0].GetAnswerTime() == nil})
	require.Equal(t, []any{"workflow", organizationv1.DeletionStep_ERASED, int64(42), b.clock.Now()},
		[]any{steps[1].GetService(), steps[1].GetState(), steps[1].GetErasedRows(), steps[1].GetAnswerTime().AsTime()})

	b.erased(t, "billing", 0)
	require.Error(t, b.saga.Advance(t.Context()), "the organization's own row goes last: what refers to it keeps it")
	require.Empty(t, b.takeEvents(t))
	b.eraseOwn(t)
	deleted := b.advance(t)
	require.Equal(t, []string{"organization.organization.deleted"}, types(deleted))
	require.Equal(t, int64(43), deleted[0].Payload.(*organizationv1.OrganizationDeleted).GetErasedRows())
	require.Empty(t, b.advance(t))

	tombstone := b.shown(t, b.ada)
	require.Equal(t, organizationv1.Deletion_DELETED, tombstone.GetState())
	require.Equal(t, b.ada.UserID.String(), tombstone.GetRequesterId())
	require.NotNil(t, tombstone.GetEndTime())
	require.Equal(t, 404, b.REST("GET", b.path+"/deletion", b.meet("eve").token, nil).Status, "it is nobody else's")
	var left int
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select count(*) from organization`).Scan(&left))
	require.Zero(t, left)
}

// A service that can't is compensated: nothing was erased, and the organization is what it was, with the reason.
func TestDeletionThatAServiceRefusesIsCalledOff(t *testing.T) {
	t.Parallel()
	b := newDeletion(t)
	b.clock.Advance(grace)
	b.advance(t)
	b.prepared(t, "workflow", "")
	b.prepared(t, "billing", "An invoice is open.")
	failed := b.advance(t)
	require.Equal(t, []string{"organization.organization.deletion_failed"}, types(failed))
	require.Equal(t, []string{"billing", "An invoice is open."}, []string{
		failed[0].Payload.(*organizationv1.OrganizationDeletionFailed).GetService(), failed[0].Payload.(*organizationv1.OrganizationDeletionFailed).GetReason(),
	})
	require.Equal(t, "ACTIVE", b.state(t))
	shown := b.shown(t, b.ada)
	require.Equal(t, organizationv1.Deletion_FAILED, shown.GetState())
	require.Equal(t, "An invoice is open.", shown.GetFailureReason())
	require.Equal(t, organizationv1.DeletionStep_REFUSED, shown.GetSteps()[0].GetState())

	// The next try is another: what was answered to the first is no answer to it.
	before := b.attempt
	b.request(t)
	require.NotEqual(t, before, b.attempt)
	b.clock.Advance(grace)
	b.advance(t)
	second := b.attempt
	b.attempt = before
	b.prepared(t, "workflow", "")
	b.prepared(t, "billing", "An invoice is open.")
	require.Empty(t, b.advance(t))
	b.attempt = second
	b.prepared(t, "workflow", "")
	b.prepared(t, "billing", "")
	require.Equal(t, []string{"organization.organization.erasure_started"}, types(b.advance(t)))
}

func TestDeletionIsCancelledWithinItsGraceOnly(t *testing.T) {
	t.Parallel()
	b := newDeletion(t)
	refused := b.REST("POST", b.path+":delete", b.ada.token, map[string]any{"confirmName": "Acme"})
	require.Equal(t, "DELETION_PENDING", refused.Reason())
	answer := b.REST("POST", b.path+":cancelDeletion", b.ada.token, map[string]any{})
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "CANCELLED", answer.Body["state"])
	require.Equal(t, []string{"organization.organization.deletion_cancelled"}, types(b.takeEvents(t)))
	require.Equal(t, "ACTIVE", b.state(t))
	require.Equal(t, "DELETION_NOT_PENDING", b.REST("POST", b.path+":cancelDeletion", b.ada.token, map[string]any{}).Reason())
	b.clock.Advance(2 * grace)
	require.Empty(t, b.advance(t))

	b.request(t)
	b.clock.Advance(grace)
	b.advance(t)
	require.Equal(t, "DELETION_IRREVERSIBLE", b.REST("POST", b.path+":cancelDeletion", b.ada.token, map[string]any{}).Reason())
}

func TestDeletionTakesTheName(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	_, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	for _, name := range []string{"acme", "Acme 2"} {
		answer := bundle.REST("POST", path+":delete", ada.token, map[string]any{"confirmName": name})
		require.Equal(t, "NAME_MISMATCH", answer.Reason())
		require.Equal(t, []string{"confirmName"}, answer.Fields())
	}
	require.Equal(t, 400, bundle.REST("POST", path+":delete", ada.token, map[string]any{}).Status)
	require.Equal(t, 404, bundle.REST("GET", path+"/deletion", ada.token, nil).Status)
	require.Equal(t, "DELETION_NOT_PENDING", bundle.REST("POST", path+":cancelDeletion", ada.token, map[string]any{}).Reason())
	require.Empty(t, bundle.takeEvents(t))
}

// Nobody joins meanwhile, on a way that names no organization either, and nobody but those who were owners may see it.
func TestPendingDeletionStopsJoining(t *testing.T) {
	t.Parallel()
	b := newDeletion(t)
	b.REST("POST", b.path+":cancelDeletion", b.ada.token, map[string]any{})
	ben, cleo := b.meet("ben"), b.meet("cleo")
	b.join(t, b.ada, b.path, ben, "admin")
	_, token := b.invite(t, b.ada, b.path, cleo.Email, "member")
	b.takeEvents(t)
	b.request(t)
	answer := b.REST("POST", "/api/v1/invitations:accept", cleo.token, map[string]any{"token": token})
	require.Equal(t, "DELETION_PENDING", answer.Reason())
	require.Empty(t, b.takeEvents(t))
	require.Equal(t, 403, b.REST("GET", b.path+"/deletion", ben.token, nil).Status)
	require.Equal(t, 403, b.REST("POST", b.path+":cancelDeletion", ben.token, map[string]any{}).Status)
	require.Equal(t, 404, b.REST("GET", b.path+"/deletion", cleo.token, nil).Status)
}

// A service that does not answer is asked again, ever more rarely; one that came later is asked as well and waited for.
func TestSilentAndNewServicesAreWaitedFor(t *testing.T) {
	t.Parallel()
	b := newDeletion(t)
	b.clock.Advance(grace)
	b.advance(t)
	b.prepared(t, "workflow", "")
	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		b.clock.Advance(wait - time.Second)
		require.Empty(t, b.advance(t))
		b.clock.Advance(time.Second)
		require.Equal(t, []string{"organization.organization.deletion_started"}, types(b.advance(t)))
	}
	require.Equal(t, int32(4), b.shown(t, b.ada).GetSteps()[0].GetAttempts())
	b.saga = newSaga(b.testBundle, "billing", "flag", "workflow")
	require.Equal(t, []string{"organization.organization.deletion_started"}, types(b.advance(t)), "flag came later")
	b.prepared(t, "billing", "")
	require.Empty(t, b.advance(t))
	b.prepared(t, "flag", "")
	require.Equal(t, []string{"organization.organization.erasure_started"}, types(b.advance(t)))
}

func TestSuspension(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada := bundle.meet("ada")
	organizationID, path := bundle.found(t, ada, "Acme")
	bundle.takeEvents(t)
	bundle.Tokens.Service("billing", "billing")
	client := organizationv1connect.NewOrganizationSuspensionServiceClient(bundle.As("billing"))
	suspend := func(reason string) {
		_, err := client.SuspendOrganization(t.Context(), &organizationv1.SuspendOrganizationRequest{OrganizationId: organizationID.String(), Reason: reason})
		require.NoError(t, err)
	}
	suspend("The bill is unpaid.")
	suspend("The bill is unpaid.")
	suspend("Abuse.")
	require.Equal(t, []string{"organization.organization.suspended", "organization.organization.suspended"}, types(bundle.takeEvents(t)))
	shown := bundle.REST("GET", path, ada.token, nil)
	require.Equal(t, []any{"SUSPENDED", "Abuse."}, []any{shown.Body["state"], shown.Body["suspensionReason"]})
	effective, err := organizationv1connect.NewAccessServiceClient(bundle.As("billing")).GetEffectivePermissions(t.Context(),
		&organizationv1.GetEffectivePermissionsRequest{OrganizationId: organizationID.String(), UserId: ada.UserID.String()})
	require.NoError(t, err)
	require.Equal(t, organizationv1.Organization_SUSPENDED, effective.GetOrganizationState())

	// A deletion that is called off leaves it suspended.
	require.Equal(t, 200, bundle.REST("POST", path+":delete", ada.token, map[string]any{"confirmName": "Acme"}).Status)
	_, err = client.ResumeOrganization(t.Context(), &organizationv1.ResumeOrganizationRequest{OrganizationId: organizationID.String()})
	require.ErrorContains(t, err, "about to be deleted")
	require.Equal(t, 200, bundle.REST("POST", path+":cancelDeletion", ada.token, map[string]any{}).Status)
	require.Equal(t, "SUSPENDED", bundle.REST("GET", path, ada.token, nil).Body["state"])
	bundle.takeEvents(t)
	for range 2 {
		_, err = client.ResumeOrganization(t.Context(), &organizationv1.ResumeOrganizationRequest{OrganizationId: organizationID.String()})
		require.NoError(t, err)
	}
	require.Equal(t, []string{"organization.organization.resumed"}, types(bundle.takeEvents(t)))
	require.Equal(t, "ACTIVE", bundle.REST("GET", path, ada.token, nil).Body["state"])
	_, err = client.SuspendOrganization(t.Context(), &organizationv1.SuspendOrganizationRequest{OrganizationId: id.New().String(), Reason: "x"})
	require.ErrorContains(t, err, "not_found")
}
