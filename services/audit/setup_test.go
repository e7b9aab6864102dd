package audit

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/gen/go/braid/audit/v1/auditv1braid"
	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/audit/internal/api"
	"github.com/braidhq/braid/services/audit/internal/app"
	"github.com/braidhq/braid/services/audit/internal/consumer"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

// epoch is when the tests' events begin to happen.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testBundle is the service behind the real chain and over a real database; events are handed to its handlers as the
// inbox does.
type testBundle struct {
	*rpctest.Server
	database *pgtest.Database
	clock    *clock.Manual
	app      *app.App
	handle   inbox.Handler
	registry *prometheus.Registry
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	bundle := &testBundle{
		database: pgtest.Open(t, Name, Migrations()...), clock: clock.NewManual(epoch.Add(time.Hour)), registry: prometheus.NewRegistry(),
	}
	bundle.app = &app.App{DB: bundle.database.DB, Clock: bundle.clock}
	recorder := consumer.New(bundle.app, pgtest.Logger(t), bundle.registry)
	bundle.handle = recorder.Handlers()[inbox.Any]
	bundle.Server = rpctest.NewServer(t, func(server *rpc.Server) error {
		return auditv1braid.MountAuditService(server, api.New(bundle.app))
	})
	return bundle
}

// hear applies events, each in a transaction of its own.
func (b *testBundle) hear(t *testing.T, events ...bus.Event) {
	t.Helper()
	for _, event := range events {
		require.NoError(t, b.tryHear(t, event))
	}
}

// tryHear applies events as one batch.
func (b *testBundle) tryHear(t *testing.T, events ...bus.Event) error {
	t.Helper()
	return b.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error { return b.handle(ctx, tx, events) })
}

// newEvent returns an event as its service publishes it, so many seconds after the epoch.
func newEvent(t *testing.T, source string, organizationID id.ID, subject string, second int, message proto.Message) bus.Event {
	t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(t, err)
	return bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Source: bus.Source(source), Subject: subject,
		Time: epoch.Add(time.Duration(second) * time.Second), Schema: string(message.ProtoReflect().Descriptor().FullName()),
		OrganizationID: organizationID, Actor: call.Actor{Kind: call.User, UserID: id.New()},
		CorrelationID: id.New().String(), ClientAddress: "192.0.2.7", Data: data, Key: []byte(organizationID.String()),
	}
}

func joined(t *testing.T, organizationID, userID id.ID, second int) bus.Event {
	return newEvent(t, "organization", organizationID, "member/"+userID.String(), second,
		&organizationv1.MemberAdded{OrganizationId: organizationID.String(), UserId: userID.String(), RoleIds: []string{"member"}})
}

func left(t *testing.T, organizationID, userID id.ID, second int) bus.Event {
	return newEvent(t, "organization", organizationID, "member/"+userID.String(), second,
		&organizationv1.MemberRemoved{OrganizationId: organizationID.String(), UserId: userID.String()})
}

// loginFailed is nobody's deed, about a user.
func loginFailed(t *testing.T, userID id.ID, second int) bus.Event {
	event := newEvent(t, "identity", id.ID{}, "user/"+userID.String(), second,
		&identityv1.LoginFailed{UserId: userID.String(), UserAgent: "curl/8"})
	event.Key, event.Actor = []byte(userID.String()), call.Actor{Kind: call.Anonymous}
	return event
}

func trail(organizationID id.ID) string {
	return "/api/v1/organizations/" + organizationID.String() + "/audit-events"
}

// list returns the records that a filter finds, all pages of them.
func (b *testBundle) list(t *testing.T, token string, organizationID id.ID, filter, size string) []map[string]any {
	t.Helper()
	return b.listBy(t, token, organizationID, filter, "", size)
}

// listBy is list in an order.
func (b *testBundle) listBy(t *testing.T, token string, organizationID id.ID, filter, orderBy, size string) []map[string]any {
	t.Helper()
	var records []map[string]any
	for page, pages := "", 0; ; pages++ {
		require.Less(t, pages, 100, "the pages don't end")
		query := url.Values{"filter": {filter}, "orderBy": {orderBy}, "pageToken": {page}, "pageSize": {size}}
		answer := b.REST("GET", trail(organizationID)+"?"+query.Encode(), token, nil)
		require.Equal(t, 200, answer.Status, answer.Text)
		found, _ := answer.Body["auditEvents"].([]any)
		for _, record := range found {
			records = append(records, record.(map[string]any))
		}
		if page, _ = answer.Body["nextPageToken"].(string); page == "" {
			return records
		}
	}
}

// eventIDs returns the events of an organization's trail, the newest first.
func (b *testBundle) eventIDs(t *testing.T, token string, organizationID id.ID) []string {
	t.Helper()
	ids := []string{}
	for _, record := range b.list(t, token, organizationID, "", "0") {
		ids = append(ids, record["eventId"].(string))
	}
	return ids
}

func idsOf(events ...bus.Event) []string {
	ids := []string{}
	for _, event := range events {
		ids = append(ids, event.ID.String())
	}
	return ids
}
