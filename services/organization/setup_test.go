package organization

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	about "github.com/braidhq/braid/platform/person"
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
	t        *testing.T
	database *pgtest.Database
	clock    *clock.Manual
	app      *app.App
	people   *people
	// access is what the process remembers, for the chain as for the use cases: it learns of a change only if the use case
	// says so.
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
		t:        t,
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
	bundle.access = bundle.remember(t)
	base, err := authz.NewBase()
	require.NoError(t, err)
	resourceTypes, err := resourceTypesOfContract()
	require.NoError(t, err)
	bundle.app = &app.App{
		DB: db, Clock: bundle.clock, Roles: roles, Base: base, ResourceTypes: resourceTypes, Directory: bundle.people,
		Tokens: app.Tokens{Keys: keys}, DropAccess: bundle.access.Drop, RecallAccess: bundle.access.Recall,
		DropOrganization: bundle.access.DropOrganization, Authorize: bundle.Authorize, DeletionGrace: grace,
	}
	runner := idempotency.Runner{DB: db, Clock: bundle.clock}
	bundle.Server = rpctest.NewServer(t, func(server *rpc.Server) error {
		return mount(server, api.New(bundle.app, runner, "https://braid.example"), about.NewHandler(db, People()))
	}, func(chain *rpc.ChainConfig) { chain.Clock = bundle.clock })
	bundle.Roles.AnswerBy(bundle)
	return bundle
}

// REST is the server's, and holds against every answer of every test that a write which raises the access revision tells
// it in its body as well as in the header.
func (b *testBundle) REST(method, path, token string, body any, options ...rpctest.Option) rpctest.Answer {
	b.t.Helper()
	answer := b.Server.REST(method, path, token, body, options...)
	if revision := answer.Header.Get(rpc.AccessRevisionHeader); revision != "" && answer.Status == http.StatusOK {
		require.Contains(b.t, answer.Text, `"accessRevision":"`+revision+`"`, "%s %s", method, path)
	}
	return answer
}

// remember is the cache of a process.
func (b *testBundle) remember(t *testing.T) *authz.Access {
	t.Helper()
	remembered, err := authz.New(authz.Config{
		Source: b.readAccess, Fresh: func() bool { return !b.stale.Load() }, Clock: b.clock, Logger: pgtest.Logger(t), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	return remembered
}

// readAccess is what another process would ask for.
func (b *testBundle) readAccess(ctx context.Context, organizationID, subjectID id.ID, knownRoles int64) (authz.Answer, error) {
	answer, err := b.app.GetEffectivePermissions(ctx, organizationID, subjectID, knownRoles)
	if err != nil {
		return authz.Answer{}, err
	}
	return authz.AnswerOf(answer), nil
}

// Authorize is authz.Access.Authorize without its budgets, which a test's people would soon have spent.
func (b *testBundle) Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error {
	question := access.Question{Permission: permission, Now: b.clock.Now()}
	allows := func(held *authz.Held) bool {
		return held.Member && !held.Suspended && (permission == "" || held.Decide(&question).Allowed)
	}
	held, err := b.access.Recall(ctx, organizationID, userID, allows, b.readAccess)
	switch {
	case err != nil:
		return err
	case !held.Member:
		return errs.ErrNotFound
	case held.Suspended:
		return domain.ErrMemberSuspended
	case !allows(&held):
		return errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission "+permission+".").With("permission", permission)
	}
	return nil
}

// AuthorizeResource implements rpc.Authorizer; no method here asks for a resource.
func (b *testBundle) AuthorizeResource(context.Context, id.ID, id.ID, string, rpc.Asked) (call.Undecided, error) {
	return nil, errs.New(errs.Internal, "INTERNAL", "no method of this service asks for a resource")
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
	b.Tokens.RecentUser(token, met.UserID)
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
