package organization

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/organization/internal/api"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/testkit/pgtest"
	"github.com/braidhq/braid/testkit/rpctest"
)

// testBundle is the service behind the real chain and over a real database; identity is people.
type testBundle struct {
	*rpctest.Server
	database *pgtest.Database
	clock    *clock.Manual
	app      *app.App
	people   *people
	// access is what the process remembers; the chain has rpctest's roles instead.
	access *authz.Access
	stale  atomic.Bool
}

// grace is how long deletions can be cancelled here.
const grace = time.Hour

func setup(t *testing.T) *testBundle {
	t.Helper()
	database := pgtest.Open(t, Name, Migrations()...)
	return assemble(t, database, database.DB)
}

// assemble is setup over a database that was opened otherwise.
func assemble(t *testing.T, database *pgtest.Database, db *pg.DB) *testBundle {
	t.Helper()
	bundle := &testBundle{
		database: database,
		clock:    clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		people:   &people{known: map[id.ID]domain.Person{}},
	}
	dir := t.TempDir() + "/keys"
	require.NoError(t, secret.Init(dir, []string{Name}))
	keys, err := secret.Load(dir, Name)
	require.NoError(t, err)
	roles, err := rolesOfContract()
	require.NoError(t, err)
	bundle.access, err = authz.New(authz.Config{
		Source: func(context.Context, id.ID, id.ID) (authz.Permissions, error) {
			return authz.Permissions{}, errors.New("the chain asks rpctest's roles")
		},
		Fresh: func() bool { return !bundle.stale.Load() }, Logger: pgtest.Logger(t), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	bundle.app = &app.App{
		DB: db, Clock: bundle.clock, Roles: roles, Directory: bundle.people,
		Tokens: app.Tokens{Keys: keys}, DropAccess: bundle.dropAccess(t), RecallAccess: bundle.access.Recall,
		DropOrganization: bundle.access.DropOrganization, DeletionGrace: grace,
	}
	runner := idempotency.Runner{DB: db, Clock: bundle.clock}
	bundle.Server = rpctest.NewServer(t, func(server *rpc.Server) error { return mount(server, api.New(bundle.app, runner)) })
	return bundle
}

// dropAccess stands for the permission cache: the chain learns of a change only if the use case says so.
func (b *testBundle) dropAccess(t *testing.T) func(organizationID, userID id.ID) {
	return func(organizationID, userID id.ID) {
		b.access.Drop(organizationID, userID)
		_, permissions, err := b.app.GetEffectivePermissions(context.WithoutCancel(t.Context()), organizationID, userID)
		if err != nil {
			t.Errorf("read permissions: %v", err)
			return
		}
		b.Roles.Remove(organizationID, userID)
		for _, role := range b.app.Roles.List() {
			if len(permissions) > 0 && slices.Equal(role.Permissions, permissions) {
				b.Roles.Grant(organizationID, userID, role.ID)
				return
			}
		}
	}
}

// person is somebody who is signed in.
type person struct {
	domain.Person
	token string
}

// meet makes up somebody identity knows, with a token.
func (b *testBundle) meet(name string) person {
	met := domain.Person{UserID: id.New(), DisplayName: name, Email: name + "@example.com"}
	b.people.add(met)
	token := "token-" + met.UserID.String()
	b.Tokens.User(token, met.UserID)
	return person{met, token}
}

// people is identity's directory.
type people struct {
	mu    sync.Mutex
	known map[id.ID]domain.Person
	fault error
}

func (p *people) add(met domain.Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[met.UserID] = met
}

func (p *people) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = err
}

// GetPerson implements app.Directory.
func (p *people) GetPerson(_ context.Context, userID id.ID) (domain.Person, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return domain.Person{}, p.fault
	}
	if found, ok := p.known[userID]; ok {
		return found, nil
	}
	return domain.Person{}, errs.ErrNotFound
}

// found makes an organization and returns its id and its path.
func (b *testBundle) found(t *testing.T, owner person, name string) (id.ID, string) {
	t.Helper()
	answer := b.REST("POST", "/api/v1/organizations", owner.token, map[string]any{"displayName": name})
	require.Equal(t, 200, answer.Status, answer.Text)
	created := id.MustParse(answer.Body["id"].(string))
	return created, "/api/v1/organizations/" + created.String()
}

// invite sends an invitation and returns its id and the token that is mailed.
func (b *testBundle) invite(t *testing.T, inviter person, path, email, role string) (id.ID, string) {
	t.Helper()
	answer := b.REST("POST", path+"/invitations", inviter.token, map[string]any{"email": email, "roleId": role})
	require.Equal(t, 200, answer.Status, answer.Text)
	invited := id.MustParse(answer.Body["id"].(string))
	return invited, b.mailedToken(t, path, invited)
}

func (b *testBundle) mailedToken(t *testing.T, path string, invitationID id.ID) string {
	t.Helper()
	mail, err := b.app.GetInvitationMail(t.Context(), id.MustParse(path[len("/api/v1/organizations/"):]), invitationID)
	require.NoError(t, err)
	require.NotEmpty(t, mail.Token)
	return mail.Token
}

// join makes somebody a member by an invitation.
func (b *testBundle) join(t *testing.T, inviter person, path string, joining person, role string) {
	t.Helper()
	_, token := b.invite(t, inviter, path, joining.Email, role)
	answer := b.REST("POST", "/api/v1/invitations:accept", joining.token, map[string]any{"token": token})
	require.Equal(t, 200, answer.Status, answer.Text)
}

// told is an event as it will be published.
type told struct {
	Type    string
	Subject string
	Payload proto.Message
}

// takeEvents returns the events written since the last time, in the order of their publishing, and removes them.
func (b *testBundle) takeEvents(t *testing.T) []told {
	t.Helper()
	rows, err := b.database.Admin.Query(t.Context(), `with taken as (delete from outbox returning *)
select type, subject, schema, payload from taken order by position`)
	require.NoError(t, err)
	defer rows.Close()
	var events []told
	for rows.Next() {
		var event told
		var schema string
		var payload []byte
		require.NoError(t, rows.Scan(&event.Type, &event.Subject, &schema, &payload))
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(schema))
		require.NoError(t, err)
		event.Payload = kind.New().Interface()
		require.NoError(t, proto.Unmarshal(payload, event.Payload))
		events = append(events, event)
	}
	require.NoError(t, rows.Err())
	return events
}

func types(events []told) []string {
	names := make([]string, 0, len(events))
	for _, event := range events {
		names = append(names, event.Type)
	}
	return names
}
