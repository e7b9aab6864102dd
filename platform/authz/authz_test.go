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
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const read, write = "workflow.task.read", "workflow.task.create"

// owner is an organization service that a test controls, and the cache of a process beside it.
type owner struct {
	*authz.Access
	organization, user id.ID
	stale              atomic.Bool

	mu     sync.Mutex
	held   authz.Permissions
	fault  error
	asked  int
	reads  int
	during func()
}

func newOwner(t *testing.T, permissions ...string) *owner {
	t.Helper()
	o := &owner{organization: id.New(), user: id.New()}
	o.grant(permissions...)
	access, err := authz.New(authz.Config{
		Source: o.answer, Fresh: func() bool { return !o.stale.Load() },
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	o.Access = access
	return o
}

// answer reads what is held first, and only then lets the test do what happens meanwhile.
func (o *owner) answer(_ context.Context, organizationID, userID id.ID) (authz.Permissions, error) {
	o.mu.Lock()
	o.asked++
	held, fault, during := o.held, o.fault, o.during
	o.mu.Unlock()
	if during != nil {
		during()
	}
	if organizationID != o.organization || userID != o.user {
		return authz.Permissions{}, fault
	}
	return held, fault
}

// grant makes the user a member with permissions.
func (o *owner) grant(permissions ...string) {
	o.set(func() { o.held = authz.NewPermissions(true, []string{"viewer"}, permissions) })
}

func (o *owner) remove() { o.set(func() { o.held = authz.Permissions{} }) }

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
		"drop":  func(o *owner) { o.Drop(o.organization, o.user) },
		"clear": func(o *owner) { o.Clear() },
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
		access, err := authz.New(authz.Config{
			Source: func(ctx context.Context, _, _ id.ID) (authz.Permissions, error) {
				<-ctx.Done()
				ended <- ctx.Err()
				return authz.Permissions{}, ctx.Err()
			},
			Fresh: func() bool { return true }, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { answer <- access.Authorize(ctx, id.New(), user, read) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-answer, context.Canceled)
		require.Empty(t, ended, "the question itself goes on for the others")

		started := time.Now()
		requireKind(t, access.Authorize(t.Context(), id.New(), user, read), errs.Unavailable)
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
	organizationID, userID := o.organization.String(), o.user.String()
	for kind, message := range map[string]proto.Message{
		"organization.member.added":         &organizationv1.MemberAdded{OrganizationId: organizationID, UserId: userID},
		"organization.member.removed":       &organizationv1.MemberRemoved{OrganizationId: organizationID, UserId: userID},
		"organization.member.roles_changed": &organizationv1.MemberRolesChanged{OrganizationId: organizationID, UserId: userID},
	} {
		o.grant(read)
		require.NoError(t, o.may(t, read))
		before := o.questions()
		require.NoError(t, o.may(t, read))
		require.Equal(t, before, o.questions())
		schema := string(message.ProtoReflect().Descriptor().FullName())
		data, err := proto.Marshal(message)
		require.NoError(t, err)
		require.NoError(t, o.HandleEvent(bus.Event{Type: kind, Schema: schema, Data: data}), kind)
		o.remove()
		requireKind(t, o.may(t, read), errs.NotFound)
		require.Error(t, o.HandleEvent(bus.Event{Type: kind, Schema: schema, Data: []byte{0xff}}))
		require.Error(t, o.HandleEvent(bus.Event{Type: kind, Schema: schema}), "an event without ids is not taken for done")
	}
	require.NoError(t, o.HandleEvent(bus.Event{Type: "organization.organization.created", Data: []byte{0xff}}), "others are none of its business")
}
