package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/braidhq/braid/gen/go/braid/notification/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/sensitive"
)

const (
	canary = "CANARY-SECRET"
	plain  = "plain-text"
)

// eventTypes returns every message of the contract that is an event's payload.
func eventTypes() (kinds []protoreflect.MessageType) {
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		if name := string(kind.Descriptor().FullName()); strings.HasPrefix(name, "braid.") && bus.TypeOf(kind.Zero().Interface()) != "" {
			kinds = append(kinds, kind)
		}
		return true
	})
	slices.SortFunc(kinds, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	return kinds
}

// fill puts a text into every text of a message: the canary where the contract calls it sensitive.
func fill(message protoreflect.Message, secret bool, depth int) {
	for i := range message.Descriptor().Fields().Len() {
		field := message.Descriptor().Fields().Get(i)
		secret := secret || sensitive.IsSensitive(field)
		text := plain
		if secret {
			text = canary
		}
		switch {
		case field.IsMap() || depth > 4:
		case field.Kind() == protoreflect.StringKind && field.IsList():
			message.Mutable(field).List().Append(protoreflect.ValueOfString(text))
		case field.Kind() == protoreflect.StringKind && (field.Name() == "user_id" || field.Name() == "organization_id"):
			message.Set(field, protoreflect.ValueOfString(id.New().String()))
		case field.Kind() == protoreflect.StringKind:
			message.Set(field, protoreflect.ValueOfString(text))
		case field.Message() == nil || field.Message().FullName().Parent() == "google.protobuf":
		case field.IsList():
			fill(message.Mutable(field).List().AppendMutable().Message(), secret, depth+1)
		default:
			fill(message.Mutable(field).Message(), secret, depth+1)
		}
	}
}

// Whatever event the contract has, or will have, becomes a record that says what it was about, and holds no secret.
func TestEveryEventOfTheContractIsRecorded(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID := id.New()
	token, _ := bundle.SignIn(organizationID, "admin")
	kinds := eventTypes()
	require.Greater(t, len(kinds), 30)
	withSecrets := 0
	for _, kind := range kinds {
		message := kind.New()
		fill(message, false, 0)
		data, err := proto.Marshal(message.Interface())
		require.NoError(t, err)
		if strings.Contains(string(data), canary) {
			withSecrets++
		}
		subject := "thing/" + id.New().String()
		event := newEvent(t, "workflow", organizationID, subject, 0, message.Interface())
		bundle.hear(t, event)

		records := bundle.list(t, token, organizationID, fmt.Sprintf("correlationId = %q", event.CorrelationID), "0")
		require.Len(t, records, 1, event.Type)
		record := records[0]
		require.Equal(t, event.Type, record["action"])
		require.Equal(t, subject, fmt.Sprint(record["resourceType"], "/", record["resourceId"]))
		require.Equal(t, event.ID.String(), record["eventId"])
		require.Equal(t, "user", record["actorKind"])
		require.Equal(t, event.Actor.UserID.String(), record["actorId"])
		require.Equal(t, "workflow", record["source"])
		require.Equal(t, "192.0.2.7", record["clientAddress"])
		require.Equal(t, event.Time.Format(time.RFC3339), record["createTime"])
		require.NotNil(t, record["payload"], event.Type)
		if strings.Contains(string(data), plain) {
			require.Contains(t, fmt.Sprint(record["payload"]), plain, "%s lost what is not sensitive", event.Type)
		}
		require.Equal(t, record, bundle.REST("GET", trail(organizationID)+"/"+record["id"].(string), token, nil).Body)
	}
	require.Positive(t, withSecrets, "the test puts no secret anywhere")
	require.NotContains(t, bundle.dump(t), canary)
}

// dump returns all that the database holds, as text.
func (b *testBundle) dump(t *testing.T) string {
	t.Helper()
	var all string
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select concat(
		(select string_agg(audit_record::text, E'\n') from audit_record), (select string_agg(audit_entry::text, E'\n') from audit_entry),
		(select string_agg(audit_body::text, E'\n') from audit_body), (select string_agg(membership_change::text, E'\n') from membership_change))`).Scan(&all))
	require.Contains(t, all, "192.0.2.7")
	return all
}

func TestARecordIsMadeOnceHoweverOftenItsEventComes(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID, userID := id.New(), id.New()
	token, _ := bundle.SignIn(organizationID, "admin")
	events := []bus.Event{joined(t, organizationID, userID, 1), loginFailed(t, userID, 2), created(t, organizationID, 3)}
	bundle.hear(t, events...)
	before := bundle.list(t, token, organizationID, "", "0")
	require.Len(t, before, 3)
	bundle.hear(t, events...)
	require.NoError(t, bundle.tryHear(t, append(slices.Clone(events), events...)...))
	require.Equal(t, before, bundle.list(t, token, organizationID, "", "0"), "with the ids and hashes of the first time")
	var records, bodies int
	require.NoError(t, bundle.database.Admin.QueryRow(t.Context(),
		`select (select count(*) from audit_record), (select count(*) from audit_body)`).Scan(&records, &bodies))
	require.Equal(t, []int{3, 3}, []int{records, bodies})
}

func created(t *testing.T, organizationID id.ID, second int) bus.Event {
	taskID := id.New().String()
	return newEvent(t, "workflow", organizationID, "task/"+taskID, second,
		&workflowv1.TaskCreated{Task: &workflowv1.Task{Id: taskID, Title: "Fix <the> login", Number: 12}})
}

// An event of a version to come, or one that is broken, did happen all the same.
func TestWhatCannotBeReadIsRecordedWithoutItsPayload(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID := id.New()
	token, _ := bundle.SignIn(organizationID, "owner")
	for name, change := range map[string]func(*bus.Event){
		"unknown message": func(e *bus.Event) { e.Type, e.Schema = "workflow.task.split", "braid.workflow.v9.TaskSplit" },
		"broken payload":  func(e *bus.Event) { e.Data = []byte{0xff, 0xff} },
		"not UTF-8": func(e *bus.Event) {
			e.Schema = "braid.organization.v1.InvitationRevoked"
			e.Data = []byte{0x0a, 0x01, 0xff}
		},
	} {
		event := created(t, organizationID, 1)
		change(&event)
		bundle.hear(t, event)
		records := bundle.list(t, token, organizationID, fmt.Sprintf("correlationId = %q", event.CorrelationID), "0")
		require.Len(t, records, 1, name)
		require.Equal(t, event.Type, records[0]["action"], name)
		require.Equal(t, "192.0.2.7", records[0]["clientAddress"], name)
		require.NotContains(t, records[0], "payload", name)
		require.NotEqual(t, true, records[0]["erased"], name)
	}
	count, err := testutil.GatherAndCount(bundle.registry, "braid_audit_unreadable_payloads_total")
	require.NoError(t, err)
	require.Equal(t, 1, count)
	families, err := bundle.registry.Gather()
	require.NoError(t, err)
	require.InDelta(t, 3, families[0].GetMetric()[0].GetCounter().GetValue(), 0)
}

// Texts that the database or its indexes would refuse must not turn an event into a dead letter.
func TestOddTextsAreRecorded(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID := id.New()
	token, _ := bundle.SignIn(organizationID, "owner")
	long := strings.Repeat("ä", 4000)
	for name, change := range map[string]func(*bus.Event){
		"NUL in headers":  func(e *bus.Event) { e.Subject, e.CorrelationID = "task/a\x00b", "c\x00d" },
		"long headers":    func(e *bus.Event) { e.Subject, e.CorrelationID, e.Type = "x"+long+"/"+long, long, long },
		"no subject":      func(e *bus.Event) { e.Subject, e.CorrelationID = "", "" },
		"a subject alone": func(e *bus.Event) { e.Subject = "everything" },
		"NUL and HTML in the payload": func(e *bus.Event) {
			e.Data, _ = proto.Marshal(&workflowv1.TaskCreated{Task: &workflowv1.Task{Title: "a\x00<b>\u2028"}})
		},
	} {
		event := created(t, organizationID, 1)
		change(&event)
		bundle.hear(t, event)
		require.Contains(t, bundle.eventIDs(t, token, organizationID), event.ID.String(), name)
	}
	found := fmt.Sprint(bundle.list(t, token, organizationID, `resourceType = "task"`, "0"))
	require.Contains(t, found, "a\x00<b>\u2028", "a payload stays as it is")
	require.Contains(t, found, "c\uFFFDd")
	require.Len(t, bundle.list(t, token, organizationID, `resourceType = "everything" AND resourceId = ""`, "0"), 1)
	for _, record := range bundle.list(t, token, organizationID, "", "0") {
		for _, field := range []string{"action", "resourceType", "resourceId", "correlationId"} {
			require.LessOrEqual(t, len(record[field].(string)), 256)
		}
	}
}

// The proof: whoever has the body and its salt can show that it is what was recorded.
func TestTheHashIsOverSaltAndBody(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID := id.New()
	token, _ := bundle.SignIn(organizationID, "admin")
	bundle.hear(t, created(t, organizationID, 1), created(t, organizationID, 2))
	hashes := map[string]bool{}
	for _, record := range bundle.list(t, token, organizationID, "", "0") {
		var salt []byte
		var body string
		var inSQL bool
		require.NoError(t, bundle.database.Admin.QueryRow(t.Context(), `select salt, body::text,
			body_hash = sha256(salt || convert_to(body::text, 'UTF8')) from audit_body join audit_record on id = record_id where id = $1`,
			record["id"]).Scan(&salt, &body, &inSQL))
		hash := sha256.Sum256(append(slices.Clone(salt), body...))
		require.Equal(t, hex.EncodeToString(hash[:]), record["bodyHash"])
		require.True(t, inSQL)
		require.Contains(t, body, "192.0.2.7")
		require.Len(t, salt, 32)
		hashes[string(salt)] = true
	}
	require.Len(t, hashes, 2, "each body has a salt of its own")
}

// A batch of the consumer is one transaction; its records must not cost a round trip each.
func TestRecordsCostNoRoundTrips(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID, userID := id.New(), id.New()
	token, _ := bundle.SignIn(organizationID, "admin")
	require.NoError(t, bundle.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		// A context that is over would fail whatever waits for the database.
		over, cancel := context.WithCancel(ctx)
		cancel()
		var events []bus.Event
		for number := range 500 {
			events = append(events, created(t, organizationID, number), joined(t, organizationID, userID, 2*number), left(t, organizationID, userID, 2*number+1))
		}
		return bundle.handle(over, tx, events)
	}))
	require.Len(t, bundle.eventIDs(t, token, organizationID), 1500)
}

// A membership that cannot be read is the event's own failure: the inbox puts it aside, and it can be brought back.
func TestAMalformedMembershipIsItsOwnFailure(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID := id.New()
	nobody := newEvent(t, "organization", organizationID, "member/x", 1,
		&organizationv1.MemberAdded{OrganizationId: organizationID.String(), UserId: "nobody"})
	require.ErrorIs(t, bundle.tryHear(t, nobody), bus.ErrMalformed)
	require.ErrorIs(t, bundle.tryHear(t, created(t, organizationID, 1), nobody, joined(t, organizationID, id.New(), 2)), bus.ErrMalformed)
	var rows int
	require.NoError(t, bundle.database.Admin.QueryRow(t.Context(),
		`select (select count(*) from audit_record) + (select count(*) from membership_change)`).Scan(&rows))
	require.Zero(t, rows, "a batch is recorded whole or not at all")
	other := created(t, organizationID, 1)
	other.Type = "organization.member.removed"
	require.ErrorIs(t, bundle.tryHear(t, other), bus.ErrMalformed)
}
