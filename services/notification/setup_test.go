package notification_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/notification/v1/notificationv1braid"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	netmail "net/mail"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/job"
	"github.com/braidhq/braid/platform/module"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/notification/internal/api"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/consumer"
	"github.com/braidhq/braid/services/notification/internal/mail"
	"github.com/braidhq/braid/services/notification/internal/store"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, pgtest.IgnoreServer()...) }

// bench is the service without a broker and a mail server: events are handed to its consumers by the test, mails go to
// a mailer that answers as the test wants.
type bench struct {
	*pgtest.Database
	t        *testing.T
	clock    *clock.Manual
	owners   *owners
	mailer   *mailer
	rest     *rpctest.Server
	jobs     *job.Queue
	notifier *app.Notifier
	delivery *app.Deliveries
	logs     *logBuffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		Database: pgtest.Open(t, "notification", notification.Migrations()...), t: t,
		clock: clock.NewManual(time.Now()),
		owners: &owners{users: map[string]*identityv1.User{}, registrations: map[string]*identityv1.GetRegistrationMailResponse{}, resets: map[string]*identityv1.GetPasswordResetMailResponse{}, changes: map[string]*identityv1.GetEmailChangeMailResponse{}, devices: map[string]*identityv1.GetNewDeviceMailResponse{}, invitations: map[string]*organizationv1.GetInvitationMailResponse{},
			offers: map[string]*organizationv1.GetOwnershipMailResponse{}, domains: map[string]*organizationv1.GetDomainMailResponse{},
			owning: map[string]*organizationv1.ListActiveOwnersResponse{}, links: map[string]*identityv1.GetProviderLinkMailResponse{},
			grants: map[string]*organizationv1.GetSupportGrantMailResponse{}},
		mailer: &mailer{}, logs: &logBuffer{},
	}
	b.rest = rpctest.NewServer(t, func(server *rpc.Server) error {
		return notificationv1braid.MountNotificationService(server, &api.Handler{
			Runner:        idempotency.Runner{DB: b.DB, Clock: b.clock},
			Notifications: &app.Notifications{DB: b.DB, Clock: b.clock, Spec: store.NotificationSpec()},
			Preferences:   &app.Preferences{DB: b.DB, Clock: b.clock},
		})
	})
	logger := slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	composer := mail.New("https://braid.example.com")
	b.delivery = &app.Deliveries{
		DB: b.DB, Clock: b.clock, Logger: logger, Membership: b.rest.Roles, Directory: b.owners, Devices: b.owners, Invitations: b.owners, Accounts: b.owners,
		Ownership: b.owners, Domains: b.owners, Owners: b.owners, Links: b.owners, Support: b.owners,
		Composer: composer, Mailer: b.mailer, From: netmail.Address{Name: "Braid", Address: "braid@example.com"}, Metrics: app.NewMetrics(b.Registry),
	}
	handlers := job.NewHandlers()
	require.NoError(t, job.Handle(handlers, time.Minute, b.delivery.Send))
	var err error
	b.jobs, err = job.New(job.Config{
		Service: "notification", DB: b.DB, Handlers: handlers, Queues: map[string]int{app.PromptQueue: 2, app.TaskQueue: 2, job.DefaultQueue: 1},
		PollEvery: 100 * time.Millisecond, Clock: clock.System{}, Logger: logger, Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	b.notifier = &app.Notifier{Membership: b.rest.Roles, Jobs: b.jobs}
	return b
}

// work runs the jobs until the test ends.
func (b *bench) work() { runPart(b.t, b.jobs.Part()) }

func runPart(t *testing.T, part module.Part) {
	t.Helper()
	if part.Start != nil {
		require.NoError(t, part.Start(t.Context()))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- part.Run(ctx) }()
	t.Cleanup(func() {
		ending, end := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer end()
		if part.Drain != nil {
			part.Drain(ending)
		}
		cancel()
		require.NoError(t, <-done)
		if part.Stop != nil {
			require.NoError(t, part.Stop(ending))
		}
	})
}

// person makes up a user of the organization whom identity knows.
func (b *bench) person(organizationID id.ID, name string) (token string, userID id.ID) {
	token, userID = b.rest.SignIn(organizationID, "member")
	b.owners.put(func() {
		b.owners.users[userID.String()] = &identityv1.User{Id: userID.String(), DisplayName: name, Email: name + "@example.org"}
	})
	return token, userID
}

// apply hands events to the consumers as the inbox does, all in one transaction.
func (b *bench) apply(events ...bus.Event) error {
	b.t.Helper()
	handlers := consumer.Handlers(b.notifier)
	return b.DB.InWorkerTx(b.t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		for _, event := range events {
			handle := handlers[event.Type]
			require.NotNil(b.t, handle, event.Type)
			if err := handle(ctx, tx, []bus.Event{event}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) event(organizationID, actor id.ID, message proto.Message) bus.Event {
	b.t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(b.t, err)
	b.clock.Advance(time.Second)
	return bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Time: b.clock.Now(),
		OrganizationID: organizationID, Actor: call.Actor{Kind: call.User, UserID: actor}, CorrelationID: "work-" + actor.String(), Data: data,
		ClientAddress: "192.0.2.1",
	}
}

func newTask(organizationID, assigneeID id.ID) *workflowv1.Task {
	return &workflowv1.Task{
		Id: id.New().String(), OrganizationId: organizationID.String(), ProjectId: id.New().String(), Key: "WEB-12",
		Title: "Fix the login", Status: "in_review", AssigneeId: assigneeID.String(),
	}
}

// count returns the number that a statement gives, seen past every policy.
func (b *bench) count(sql string, arguments ...any) (count int) {
	b.t.Helper()
	require.NoError(b.t, b.Admin.QueryRow(b.t.Context(), sql, arguments...).Scan(&count))
	return count
}

func (b *bench) text(sql string, arguments ...any) (text string) {
	b.t.Helper()
	require.NoError(b.t, b.Admin.QueryRow(b.t.Context(), sql, arguments...).Scan(&text))
	return text
}

// owners are identity and organization.
type owners struct {
	mu            sync.Mutex
	users         map[string]*identityv1.User
	registrations map[string]*identityv1.GetRegistrationMailResponse
	invitations   map[string]*organizationv1.GetInvitationMailResponse
	devices       map[string]*identityv1.GetNewDeviceMailResponse
	resets        map[string]*identityv1.GetPasswordResetMailResponse
	changes       map[string]*identityv1.GetEmailChangeMailResponse
	offers        map[string]*organizationv1.GetOwnershipMailResponse
	domains       map[string]*organizationv1.GetDomainMailResponse
	owning        map[string]*organizationv1.ListActiveOwnersResponse
	links         map[string]*identityv1.GetProviderLinkMailResponse
	grants        map[string]*organizationv1.GetSupportGrantMailResponse
	fault         error
}

func (o *owners) put(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func lookUp[Answer any](o *owners, answers map[string]*Answer, key string) (*Answer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fault != nil {
		return nil, o.fault
	}
	if answer, ok := answers[key]; ok {
		return answer, nil
	}
	return nil, connect.NewError(connect.CodeNotFound, errors.New("none"))
}

func (o *owners) GetUser(_ context.Context, request *identityv1.GetUserRequest) (*identityv1.User, error) {
	return lookUp(o, o.users, request.GetUserId())
}

func (o *owners) GetRegistrationMail(_ context.Context, request *identityv1.GetRegistrationMailRequest) (*identityv1.GetRegistrationMailResponse, error) {
	return lookUp(o, o.registrations, request.GetRegistrationId())
}

func (o *owners) GetNewDeviceMail(_ context.Context, request *identityv1.GetNewDeviceMailRequest) (*identityv1.GetNewDeviceMailResponse, error) {
	return lookUp(o, o.devices, request.GetUserId()+"/"+request.GetDeviceId())
}

func (o *owners) GetPasswordResetMail(_ context.Context, request *identityv1.GetPasswordResetMailRequest) (*identityv1.GetPasswordResetMailResponse, error) {
	return lookUp(o, o.resets, request.GetResetId())
}

func (o *owners) GetEmailChangeMail(_ context.Context, request *identityv1.GetEmailChangeMailRequest) (*identityv1.GetEmailChangeMailResponse, error) {
	return lookUp(o, o.changes, request.GetChangeId())
}

func (o *owners) GetInvitationMail(_ context.Context, request *organizationv1.GetInvitationMailRequest) (*organizationv1.GetInvitationMailResponse, error) {
	return lookUp(o, o.invitations, request.GetOrganizationId()+"/"+request.GetInvitationId())
}

func (o *owners) GetOwnershipMail(_ context.Context, request *organizationv1.GetOwnershipMailRequest) (*organizationv1.GetOwnershipMailResponse, error) {
	return lookUp(o, o.offers, request.GetOrganizationId()+"/"+request.GetTransferId())
}

func (o *owners) GetDomainMail(_ context.Context, request *organizationv1.GetDomainMailRequest) (*organizationv1.GetDomainMailResponse, error) {
	return lookUp(o, o.domains, request.GetOrganizationId()+"/"+request.GetDomainId())
}

func (o *owners) GetSupportGrantMail(_ context.Context, request *organizationv1.GetSupportGrantMailRequest) (*organizationv1.GetSupportGrantMailResponse, error) {
	return lookUp(o, o.grants, request.GetOrganizationId()+"/"+request.GetSupportGrantId())
}

// mailer remembers mails and answers with its faults, one after the other, then with nil.
type mailer struct {
	mu     sync.Mutex
	sent   []mail.Message
	tries  int
	faults []error
}

func (m *mailer) Send(_ context.Context, message mail.Message) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if len(m.faults) > 0 {
		fault := m.faults[0]
		m.faults = m.faults[1:]
		if fault != nil {
			return fault
		}
	}
	m.sent = append(m.sent, message)
	return nil
}

func (m *mailer) all() []mail.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]mail.Message(nil), m.sent...)
}

func (m *mailer) tried() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tries
}

type logBuffer struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (l *logBuffer) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.Write(data)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written.String()
}

func (o *owners) ListActiveOwners(_ context.Context, request *organizationv1.ListActiveOwnersRequest) (*organizationv1.ListActiveOwnersResponse, error) {
	return lookUp(o, o.owning, request.GetOrganizationId())
}

func (o *owners) GetProviderLinkMail(_ context.Context, request *identityv1.GetProviderLinkMailRequest) (*identityv1.GetProviderLinkMailResponse, error) {
	return lookUp(o, o.links, request.GetLinkId())
}
