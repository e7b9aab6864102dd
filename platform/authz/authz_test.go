package authz_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const read, write = "workflow.task.read", "workflow.task.create"

// owner is an organization service that a test controls, and the cache of a process beside it.
type owner struct {
	*authz.Access
	organization, user id.ID
	clock              *clock.Manual
	stale              atomic.Bool

	mu     sync.Mutex
	held   authz.Answer
	fault  error
	asked  int
	reads  int
	during func()
}

func newOwner(t testing.TB, permissions ...string) *owner {
	t.Helper()
	o := &owner{organization: id.New(), user: id.New(), clock: clock.NewManual(time.Now())}
	o.grant(permissions...)
	built, err := authz.New(authz.Config{
		Source: o.answer, Fresh: func() bool { return !o.stale.Load() }, Clock: o.clock,
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	o.Access = built
	return o
}

// answer reads what is held first, and only then lets the test do what happens meanwhile. Roles that the asker has already
// are left out.
func (o *owner) answer(_ context.Context, organizationID, userID id.ID, knownRoles int64) (authz.Answer, error) {
	o.mu.Lock()
	o.asked++
	held, fault, during := o.held, o.fault, o.during
	o.mu.Unlock()
	if during != nil {
		during()
	}
	if organizationID != o.organization || userID != o.user {
		return authz.Answer{}, fault
	}
	if knownRoles == held.RolesRevision {
		held.Roles = nil
	}
	return held, fault
}

// revisions are those of all organizations of the tests.
var revisions atomic.Int64

// answerWith is a member with one role of the organization's own, which allows the permissions.
func answerWith(permissions ...string) authz.Answer {
	revision := revisions.Add(1)
	return authz.Answer{
		Member: true, RoleIDs: []string{"worker"}, Revision: revision, RolesRevision: revision,
		Roles: []access.Role{{ID: "worker", Allow: permissions}},
	}
}

// grant makes the user a member with permissions.
func (o *owner) grant(permissions ...string) {
	o.set(func() { o.held = answerWith(permissions...) })
}

func (o *owner) remove() { o.set(func() { o.held = authz.Answer{} }) }

func (o *owner) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *owner) questions() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked
}

func (o *owner) may(t *testing.T, permission string) error {
	t.Helper()
	return o.Authorize(t.Context(), o.organization, o.user, permission)
}

func requireKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, errs.KindOf(err), err)
}

func TestHitAsksOnce(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	for range 3 {
		require.NoError(t, o.may(t, read))
		require.NoError(t, o.may(t, ""), "a member")
	}
	require.Equal(t, 1, o.questions())
}

func TestOutsiderAndMemberAreToldApart(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	err := o.may(t, write)
	requireKind(t, err, errs.PermissionDenied)
	require.Equal(t, write, errs.From(err).Metadata["permission"])
	requireKind(t, o.Authorize(t.Context(), o.organization, id.New(), read), errs.NotFound)
	requireKind(t, o.Authorize(t.Context(), id.New(), o.user, read), errs.NotFound)
	requireKind(t, o.Authorize(t.Context(), id.New(), o.user, ""), errs.NotFound)
}

// Whoever was added or promoted a moment ago can act at once, before any event says so.
func TestDenialAsksAgain(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	o.remove()
	requireKind(t, o.may(t, read), errs.NotFound)
	o.grant(read)
	require.NoError(t, o.may(t, read))
	requireKind(t, o.may(t, write), errs.PermissionDenied)
	o.grant(read, write)
	require.NoError(t, o.may(t, write))
}

func TestDroppedUserIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	require.NoError(t, o.may(t, read))
	o.remove()
	require.NoError(t, o.may(t, read), "nothing was heard yet")
	o.Drop(o.organization, o.user)
	requireKind(t, o.may(t, read), errs.NotFound)
}

func TestClearForgetsEverybody(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	require.NoError(t, o.may(t, read))
	o.remove()
	o.Clear()
	requireKind(t, o.may(t, read), errs.NotFound)
}

// An answer that was read before a removal must not be kept after it.
func TestDropDuringAQuestionWins(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*owner){
		"drop":         func(o *owner) { o.Drop(o.organization, o.user) },
		"clear":        func(o *owner) { o.Clear() },
		"organization": func(o *owner) { o.DropOrganization(o.organization) },
	} {
		o := newOwner(t, read)
		var once sync.Once
		o.set(func() {
			o.during = func() {
				once.Do(func() {
					o.remove()
					forget(o)
				})
			}
		})
		require.NoError(t, o.may(t, read), "%s: asked before the removal", name)
		requireKind(t, o.may(t, read), errs.NotFound)
	}
}

// A question joined while it was under way may be older than the asker's own rights.
func TestJustAddedIsNotRefusedByAnOlderQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(t)
		o.remove()
		release := make(chan struct{})
		var once sync.Once
		o.set(func() { o.during = func() { once.Do(func() { <-release }) } })
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- o.may(t, read) }()
		synctest.Wait()
		o.grant(read)
		go func() { second <- o.may(t, read) }()
		synctest.Wait()
		close(release)
		requireKind(t, <-first, errs.NotFound)
		require.NoError(t, <-second)
		require.Equal(t, 2, o.questions())
	})
}

func TestManyAsTheSameQuestionOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOwner(t, read)
		release := make(chan struct{})
		o.set(func() { o.during = func() { <-release } })
		answers := make(chan error, 20)
		for range 20 {
			go func() { answers <- o.may(t, read) }()
		}
		synctest.Wait()
		close(release)
		for range 20 {
			require.NoError(t, <-answers)
		}
		require.Equal(t, 1, o.questions())
	})
}

// Who stops waiting ends only the own wait, and a question that nobody answers ends by itself.
func TestQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		user := id.New()
		ended := make(chan error, 2)
		built, err := authz.New(authz.Config{
			Source: func(ctx context.Context, _, _ id.ID, _ int64) (authz.Answer, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return authz.Answer{}, ctx.Err()
			},
			Fresh: func() bool { return true }, Clock: clock.System{}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { answer <- built.Authorize(ctx, id.New(), user, read) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-answer, context.Canceled)
		require.Empty(t, ended, "the question itself goes on for the others")

		started := time.Now()
		requireKind(t, built.Authorize(t.Context(), id.New(), user, read), errs.Unavailable)
		require.Equal(t, 3*time.Second, time.Since(started))
		<-ended
		<-ended
	})
}

// When the watermark is old, the cache is not believed; when nobody answers, nobody may.
func TestStaleProcessAsksEachTimeAndFailsClosed(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	require.NoError(t, o.may(t, read))
	o.stale.Store(true)
	require.NoError(t, o.may(t, read))
	require.NoError(t, o.may(t, read))
	require.Equal(t, 3, o.questions())
	o.set(func() { o.fault = errors.New("down") })
	requireKind(t, o.may(t, read), errs.Unavailable)
	o.stale.Store(false)
	require.NoError(t, o.may(t, read), "what is cached holds while the watermark is young")
	requireKind(t, o.Authorize(t.Context(), id.New(), o.user, read), errs.Unavailable)
	o.set(func() { o.fault = nil })
	o.stale.Store(true)
	o.remove()
	requireKind(t, o.may(t, read), errs.NotFound)
}

func TestEventsDropWhatTheyMakeOld(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	subject := func(kind organizationv1.Subject_Type, subjectID id.ID) *organizationv1.Assignment {
		return &organizationv1.Assignment{Subject: &organizationv1.Subject{Type: kind, Id: subjectID.String()}}
	}
	member := "member/" + o.user.String()
	for name, test := range map[string]struct {
		kind, subject string
		message       proto.Message
		drops         bool
	}{
		"added":                   {"organization.member.added", member, &organizationv1.MemberAdded{}, true},
		"removed":                 {"organization.member.removed", member, &organizationv1.MemberRemoved{}, true},
		"other roles":             {"organization.member.roles_changed", member, &organizationv1.MemberRolesChanged{}, true},
		"another member":          {"organization.member.removed", "member/" + id.New().String(), &organizationv1.MemberRemoved{}, false},
		"a role":                  {"organization.role.updated", "role/x", &organizationv1.RoleUpdated{}, true},
		"a permission":            {"organization.permission.deleted", "permission/x", &organizationv1.PermissionDeleted{}, true},
		"something to come":       {"organization.team_member.added", "team/x", &organizationv1.MemberAdded{}, true},
		"an invitation":           {"organization.invitation.sent", "invitation/x", &organizationv1.InvitationSent{}, false},
		"an assignment":           {"organization.assignment.created", "assignment/x", &organizationv1.AssignmentCreated{Assignment: subject(organizationv1.Subject_USER, o.user)}, true},
		"one taken back":          {"organization.assignment.deleted", "assignment/x", &organizationv1.AssignmentDeleted{Assignment: subject(organizationv1.Subject_USER, o.user)}, true},
		"a team's assignment":     {"organization.assignment.deleted", "assignment/x", &organizationv1.AssignmentDeleted{Assignment: subject(organizationv1.Subject_TEAM, id.New())}, true},
		"another's assignment":    {"organization.assignment.created", "assignment/x", &organizationv1.AssignmentCreated{Assignment: subject(organizationv1.Subject_SERVICE_ACCOUNT, id.New())}, false},
		"what is another service": {"workflow.role.updated", "role/x", &organizationv1.RoleUpdated{}, false},
	} {
		o.grant(read)
		o.Clear()
		require.NoError(t, o.may(t, read))
		before := o.questions()
		require.NoError(t, o.may(t, read))
		require.Equal(t, before, o.questions())
		data, err := proto.Marshal(test.message)
		require.NoError(t, err)
		event := bus.Event{
			Type: test.kind, Subject: test.subject, OrganizationID: o.organization, Data: data,
			Schema: string(test.message.ProtoReflect().Descriptor().FullName()),
		}
		require.NoError(t, o.HandleEvent(event), name)
		o.remove()
		if test.drops {
			requireKind(t, o.may(t, read), errs.NotFound)
			event.OrganizationID = id.ID{}
			require.Error(t, o.HandleEvent(event), "%s: an event without an organization is not taken for done", name)
		} else {
			require.NoError(t, o.may(t, read), name)
		}
	}
	broken := bus.Event{Type: "organization.assignment.created", OrganizationID: o.organization, Data: []byte{0xff}}
	require.Error(t, o.HandleEvent(broken))
	broken.Type = "organization.member.removed"
	require.Error(t, o.HandleEvent(broken), "nor is one about nobody")
}
