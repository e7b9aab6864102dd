package notification_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1braid"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/platform/service"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/testkit/bustest"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

// directory is identity's internal service, behind its real chain.
type directory struct{ *owners }

func (directory) GetSessionState(context.Context, *identityv1.GetSessionStateRequest) (*identityv1.GetSessionStateResponse, error) {
	return &identityv1.GetSessionStateResponse{}, nil
}

type tokenSource struct{}

func (tokenSource) Token(audience string) (string, error) { return "for-" + audience, nil }

func goodConfig() notification.Config {
	return notification.Config{
		Mailbox: true, MailboxMessages: 10, From: "Braid <braid@example.com>", SMTPTimeout: 10 * time.Second, MailWorkers: 2,
		ReadRetention: 90 * day, Retention: 365 * day,
	}
}

func newEnvironment(t *testing.T, known *owners) (service.Environment, *pgtest.Database) {
	t.Helper()
	database := pgtest.Open(t, notification.Name, notification.Migrations()...)
	keysDirectory := t.TempDir()
	require.NoError(t, secret.Init(keysDirectory, []string{notification.Name}))
	keys, err := secret.Load(keysDirectory, notification.Name)
	require.NoError(t, err)
	registry := prometheus.NewRegistry()
	logger := pgtest.Logger(t)
	access, err := authz.New(authz.Config{
		Clock: clock.System{},
		Source: func(context.Context, id.ID, id.ID, int64) (authz.Answer, error) {
			return authz.Answer{Member: true}, nil
		},
		Fresh: func() bool { return true }, Logger: logger, Registerer: registry,
	})
	require.NoError(t, err)
	identity := rpctest.NewServer(t, func(server *rpc.Server) error {
		return identityv1braid.MountDirectoryService(server, directory{known})
	})
	identity.Tokens.Service("for-identity", notification.Name)
	clients, err := rpc.NewClients(map[string]rpc.Target{"identity": {Handler: identity.Server}}, tokenSource{}, registry)
	require.NoError(t, err)
	topics := map[string]bus.Topic{}
	for _, name := range []string{"identity", "organization", "workflow", notification.Name} {
		topics[name] = bus.Topic{Name: name + ".events", Partitions: 2, Retention: time.Hour}
	}
	return service.Environment{
		Name: notification.Name, DB: database.DB, Bus: bustest.Connect(t), Topics: topics, Keys: keys, Access: access, Clients: clients,
		PublicURL: "https://braid.example.com", Clock: clock.System{}, Logger: logger, Registerer: registry,
	}, database
}

// TestFromAnEventToTheMailbox runs the service as it is assembled, from the topics of others to the mails it sends.
func TestFromAnEventToTheMailbox(t *testing.T) {
	t.Parallel()
	registrationID, organizationID, ada, ben := id.New(), id.New(), id.New(), id.New()
	known := &owners{
		users: map[string]*identityv1.User{
			ada.String(): {Id: ada.String(), DisplayName: "Ada", Email: "ada@example.org"},
			ben.String(): {Id: ben.String(), DisplayName: "Ben", Email: "ben@example.org"},
		},
		registrations: map[string]*identityv1.GetRegistrationMailResponse{registrationID.String(): {
			Email: "eve@example.org", Code: "314159", ExpireTime: timestamppb.New(time.Now().Add(time.Hour)),
		}},
	}
	environment, database := newEnvironment(t, known)
	assembled, err := notification.New(environment, goodConfig())
	require.NoError(t, err)
	require.Len(t, assembled.Server.Procedures(), 7)
	for _, part := range assembled.Parts {
		runPart(t, part)
	}

	producer, err := bus.NewProducer(environment.Bus, environment.Logger)
	require.NoError(t, err)
	t.Cleanup(producer.Close)
	b := &bench{t: t, clock: clock.NewManual(time.Now())}
	registered := b.event(id.ID{}, id.ID{}, &identityv1.RegistrationRequested{RegistrationId: registrationID.String()})
	registered.Actor = call.Actor{Kind: call.Anonymous}
	assigned := b.event(organizationID, ada, &workflowv1.TaskCreated{Task: newTask(organizationID, ben)})
	assigned.ClientAddress = netip.MustParseAddr("192.0.2.7").String()
	require.Eventually(t, func() bool {
		return producer.EnsureTopics(t.Context(), environment.Topics["identity"], environment.Topics["workflow"]) == nil
	}, patience, 50*time.Millisecond)
	for topic, event := range map[string]bus.Event{"identity.events": registered, "workflow.events": assigned} {
		event.Source = "/braid/test"
		record, err := bus.Encode(topic, event)
		require.NoError(t, err)
		// Twice, as a relay that died in between would.
		for _, err := range producer.Publish(t.Context(), record, record) {
			require.NoError(t, err)
		}
	}

	mailTo := func(address string) (subject, text string, headers map[string]string) {
		var body struct {
			Messages []struct {
				Subject, Text string
				Headers       map[string]string
			}
		}
		recorder := httptest.NewRecorder()
		assembled.Pages["GET /mailbox/messages"].ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/mailbox/messages?to="+address, nil))
		if json.Unmarshal(recorder.Body.Bytes(), &body) != nil || len(body.Messages) == 0 {
			return "", "", nil
		}
		require.Len(t, body.Messages, 1)
		return body.Messages[0].Subject, body.Messages[0].Text, body.Messages[0].Headers
	}
	require.Eventually(t, func() bool { _, text, _ := mailTo("eve@example.org"); return text != "" }, patience, 50*time.Millisecond)
	require.Eventually(t, func() bool { _, text, _ := mailTo("ben@example.org"); return text != "" }, patience, 50*time.Millisecond)
	_, text, _ := mailTo("eve@example.org")
	require.Contains(t, strings.Split(text, "\n"), "code: 314159")
	subject, text, headers := mailTo("ben@example.org")
	require.Equal(t, "WEB-12 was assigned to you: Fix the login", subject)
	require.Contains(t, text, "Ada assigned WEB-12 to you.")
	require.Equal(t, assigned.CorrelationID, headers["xCorrelationId"])

	var told int
	require.NoError(t, database.Admin.QueryRow(t.Context(), `select count(*) from notification where user_id = $1`, ben.String()).Scan(&told))
	require.Equal(t, 1, told)
	// The outcomes leave through the relay.
	require.Eventually(t, func() bool {
		var sent, waiting int
		require.NoError(t, database.Admin.QueryRow(t.Context(), `select (select count(*) from delivery where state = 'sent'), (select count(*) from outbox)`).Scan(&sent, &waiting))
		return sent == 2 && waiting == 0
	}, patience, 50*time.Millisecond)
	problems, err := testutil.GatherAndLint(environment.Registerer.(*prometheus.Registry))
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestWithoutAWayToSendNothingStarts(t *testing.T) {
	t.Parallel()
	environment, _ := newEnvironment(t, &owners{})
	config := goodConfig()
	config.Mailbox = false
	_, err := notification.New(environment, config)
	require.ErrorContains(t, err, "smtp_url")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	reported := func(change func(*notification.Config)) map[string]string {
		config := goodConfig()
		change(&config)
		problems := map[string]string{}
		config.Validate(func(key, reason string) { problems[key] = reason })
		return problems
	}
	require.Empty(t, reported(func(*notification.Config) {}))
	require.Empty(t, reported(func(c *notification.Config) { c.Mailbox, c.SMTPURL = false, "smtps://user:secret@mail.example.com" }))
	require.Equal(t, map[string]string{"smtp_url": "is required unless notification.mailbox is on"},
		reported(func(c *notification.Config) { c.Mailbox = false }))
	for key, change := range map[string]func(*notification.Config){
		"smtp_url":         func(c *notification.Config) { c.SMTPURL = "http://user:secret@mail.example.com" },
		"from":             func(c *notification.Config) { c.From = "Braid <braid@example.com>\r\nBcc: all@example.com" },
		"mailbox_messages": func(c *notification.Config) { c.MailboxMessages = 0 },
		"smtp_timeout":     func(c *notification.Config) { c.SMTPTimeout = time.Hour },
		"mail_workers":     func(c *notification.Config) { c.MailWorkers = 100 },
		"read_retention":   func(c *notification.Config) { c.ReadRetention = 0 },
		"retention":        func(c *notification.Config) { c.Retention = c.ReadRetention - 1 },
	} {
		problems := reported(change)
		require.Len(t, problems, 1, key)
		require.Contains(t, problems, key)
		require.NotContains(t, problems[key], "secret")
	}
}
