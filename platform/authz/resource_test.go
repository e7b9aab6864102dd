package authz_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// assign gives the user the permissions in a scope, besides being a member.
func (o *owner) assign(assignment access.Assignment, permissions ...string) {
	answer := answerWith(permissions...)
	answer.RoleIDs, assignment.RoleID = nil, "worker"
	answer.Assignments = []access.Assignment{assignment}
	o.set(func() { o.held = answer })
	o.Clear()
}

func (o *owner) ask(ctx context.Context, permission string, asked rpc.Asked) (call.Undecided, error) {
	return o.AuthorizeResource(ctx, o.organization, o.user, permission, asked)
}

func task(project, owner id.ID) rpc.Asked {
	return rpc.Asked{Resource: call.Resource{Type: "task", ID: id.New(), ProjectID: project, OwnerID: owner}}
}

func TestWhatHoldsInTheOrganizationNeedsNoResource(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	undecided, err := o.ask(t.Context(), read, task(id.ID{}, id.ID{}))
	require.NoError(t, err)
	require.Nil(t, undecided)
	_, err = o.ask(t.Context(), write, task(id.ID{}, id.ID{}))
	requireKind(t, err, errs.PermissionDenied)
	o.remove()
	o.Clear()
	_, err = o.ask(t.Context(), read, task(id.ID{}, id.ID{}))
	requireKind(t, err, errs.NotFound)
}

func TestWhatHoldsInAProjectIsDecidedWithTheResource(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	project, other := id.New(), id.New()
	o.assign(access.Assignment{ID: "a", Scope: access.Scope{Kind: access.Project, ProjectID: project.String()}}, read, "workflow.task.update")
	ctx := t.Context()

	undecided, err := o.ask(ctx, "workflow.task.update", task(id.ID{}, id.ID{}))
	require.NoError(t, err)
	require.NotNil(t, undecided, "nobody knows the task's project yet")
	require.NoError(t, undecided.Decide(ctx, task(project, id.New()).Resource))
	requireKind(t, undecided.Decide(ctx, task(other, id.New()).Resource), errs.NotFound)
	require.False(t, undecided.Reach().Everything())

	undecided, err = o.ask(ctx, read, rpc.Asked{Resource: call.Resource{Type: "task", ProjectID: project}})
	require.NoError(t, err)
	require.Nil(t, undecided, "a list in the project is all of it")
	_, err = o.ask(ctx, read, rpc.Asked{Resource: call.Resource{Type: "task", ProjectID: other}})
	requireKind(t, err, errs.NotFound)

	o.assign(access.Assignment{ID: "a", Scope: access.Scope{Kind: access.Project, ProjectID: project.String()}}, read)
	_, err = o.ask(ctx, "workflow.task.update", task(id.ID{}, id.ID{}))
	requireKind(t, err, errs.PermissionDenied)
	requireKind(t, o.may(t, read), errs.PermissionDenied)
	require.NoError(t, o.may(t, ""), "a member all the same")
}

// Whoever may read a thing is told that they may not change it; for others it isn't there.
func TestWhatMayBeReadIsForbiddenAndNotMissing(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	mine := o.user
	answer := answerWith(read)
	answer.Roles = append(answer.Roles, access.Role{ID: "own", Allow: []string{"workflow.task.update"}})
	answer.Assignments = []access.Assignment{{ID: "own", RoleID: "own", Scope: access.Scope{Kind: access.Organization}, Owned: true}}
	o.set(func() { o.held = answer })
	undecided, err := o.ask(t.Context(), "workflow.task.update", task(id.ID{}, id.ID{}))
	require.NoError(t, err)
	require.NoError(t, undecided.Decide(t.Context(), task(id.New(), mine).Resource))
	requireKind(t, undecided.Decide(t.Context(), task(id.New(), id.New()).Resource), errs.PermissionDenied)

	made := rpc.Asked{Resource: call.Resource{Type: "task", ProjectID: id.New(), OwnerID: mine}, Complete: true}
	_, err = o.ask(t.Context(), "workflow.task.update", made)
	requireKind(t, err, errs.NotFound)
	answer = answerWith(read, "workflow.project.read")
	answer.Roles, answer.Assignments = append(answer.Roles, o.held.Roles[1]), o.held.Assignments
	o.set(func() { o.held = answer })
	o.Clear()
	undecided, err = o.ask(t.Context(), "workflow.task.update", made)
	require.NoError(t, err, "what one is about to make will be one's own, in a project that one may read")
	require.Nil(t, undecided)
}

// A suspended member is told so, and may nothing.
func TestSuspendedMemberMayNothing(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	o.set(func() { o.held.Suspended = true })
	for _, permission := range []string{read, ""} {
		err := o.may(t, permission)
		requireKind(t, err, errs.PermissionDenied)
		require.Equal(t, "MEMBER_SUSPENDED", errs.From(err).Reason)
	}
	_, err := o.ask(t.Context(), read, task(id.ID{}, id.ID{}))
	require.Equal(t, "MEMBER_SUSPENDED", errs.From(err).Reason)
}

// What a caller has seen written is never answered from what was read before it, however fresh the process thinks it is.
func TestRevisionOfTheCallerIsNeverUndercut(t *testing.T) {
	t.Parallel()
	o := newOwner(t, read)
	require.NoError(t, o.may(t, read))
	old := o.held.Revision
	o.remove()
	require.NoError(t, o.may(t, read), "nothing was heard of the removal")
	o.grant(write)
	seen := func(revision int64) context.Context {
		return call.With(t.Context(), &call.Call{LeastAccessRevision: revision})
	}
	require.NoError(t, o.Authorize(seen(old), o.organization, o.user, read), "no newer than what is remembered")
	requireKind(t, o.Authorize(seen(o.held.Revision), o.organization, o.user, read), errs.PermissionDenied)
	require.NoError(t, o.Authorize(seen(o.held.Revision), o.organization, o.user, write))
	before := o.questions()
	require.NoError(t, o.Authorize(seen(o.held.Revision), o.organization, o.user, write))
	require.Equal(t, before, o.questions(), "it is remembered now")
	err := o.Authorize(seen(o.held.Revision+1), o.organization, o.user, write)
	require.Equal(t, "ACCESS_REVISION_UNKNOWN", errs.From(err).Reason)
}

// An assignment ends by itself, in every process, without an event.
func TestAssignmentEndsByTheClock(t *testing.T) {
	t.Parallel()
	o := newOwner(t)
	answer := answerWith(read)
	answer.RoleIDs = nil
	answer.Assignments = []access.Assignment{{ID: "a", RoleID: "worker", Scope: access.Scope{Kind: access.Organization}, Expire: o.clock.Now().Add(time.Minute)}}
	o.set(func() { o.held = answer })
	require.NoError(t, o.may(t, read))
	o.clock.Advance(time.Minute)
	requireKind(t, o.may(t, read), errs.PermissionDenied)
}
