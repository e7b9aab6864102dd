package authz_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// desk is a service behind the real chain and the real permissions of a process; organization is the test's.
type desk struct {
	t            *testing.T
	server       *rpc.Server
	tokens       *rpctest.Tokens
	access       *authz.Access
	clock        *clock.Manual
	organization id.ID
	// members are the roles of members, grants what operators are let in by.
	members map[id.ID]string
	grants  *organizationv1.GetSupportAccessResponse
	asked   []call.OperatorRole
	// kept is what was recorded, unless fault keeps it from being.
	kept    []rpc.SupportAccess
	calls   []call.Call
	fault   error
	handled int
}

type tasks struct {
	workflowv1braid.TaskServiceHandler
	desk *desk
}

func (h tasks) GetTask(context.Context, *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	h.desk.handled++
	return &workflowv1.Task{}, nil
}

func (h tasks) ListTasks(context.Context, *workflowv1.ListTasksRequest) (*workflowv1.ListTasksResponse, error) {
	h.desk.handled++
	return &workflowv1.ListTasksResponse{}, nil
}

func (h tasks) CreateTask(context.Context, *workflowv1.CreateTaskRequest) (*workflowv1.Task, error) {
	h.desk.handled++
	return &workflowv1.Task{}, nil
}

// SupportAccessed implements rpc.SupportRecorder.
func (d *desk) SupportAccessed(ctx context.Context, accessed rpc.SupportAccess) error {
	if d.fault != nil {
		return d.fault
	}
	d.kept, d.calls = append(d.kept, accessed), append(d.calls, *call.From(ctx))
	return nil
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, tokens: rpctest.NewTokens(), clock: clock.NewManual(time.Now()), organization: id.New(), members: map[id.ID]string{}}
	var err error
	d.access, err = authz.New(authz.Config{
		Source: func(_ context.Context, organizationID, userID id.ID, _ int64) (authz.Answer, error) {
			if role := d.members[userID]; role != "" && organizationID == d.organization {
				return authz.Answer{Member: true, RoleIDs: []string{role}, Revision: 7}, nil
			}
			return authz.Answer{}, nil
		},
		Grants: func(_ context.Context, organizationID, _ id.ID, role call.OperatorRole) (authz.Answer, error) {
			d.asked = append(d.asked, role)
			if organizationID != d.organization || d.grants == nil || !d.clock.Now().Before(d.grants.GetExpireTime().AsTime()) {
				return authz.Answer{}, nil
			}
			return authz.GrantOf(d.grants)
		},
		Fresh: func() bool { return true }, Clock: d.clock, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	chain, err := rpc.NewChain(rpc.ChainConfig{
		Authenticator: d.tokens, Authorizer: d.access, Lifecycle: d.access, Support: d, HashKeyed: func(data []byte) []byte { return data },
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	d.server = rpc.NewServer(chain)
	require.NoError(t, workflowv1braid.MountTaskService(d.server, tasks{desk: d}))
	return d
}

// letIn makes a grant and tells of it as the broadcast reader does.
func (d *desk) letIn(role string, access organizationv1.SupportGrant_Access, lasts time.Duration) {
	d.grants = &organizationv1.GetSupportAccessResponse{
		Granted: true, SupportGrantId: id.New().String(), RoleId: role, Access: access, AccessRevision: 7,
		ExpireTime: timestamppb.New(d.clock.Now().Add(lasts)), OrganizationState: organizationv1.Organization_ACTIVE,
	}
	d.hear("created")
}

func (d *desk) hear(action string) {
	require.NoError(d.t, d.access.HandleEvent(bus.Event{Type: "organization.support_grant." + action, OrganizationID: d.organization}))
}

// operator signs an operator in.
func (d *desk) operator(role call.OperatorRole) (token string, operatorID id.ID) {
	operatorID = id.New()
	token = "operator-" + operatorID.String()
	d.tokens.Operator(token, operatorID, role)
	return token, operatorID
}

// acting is a token with which the operator acts in somebody's name.
func (d *desk) acting(operatorID, userID id.ID, writes bool) string {
	actor := call.Actor{
		Kind: call.User, UserID: userID, SessionID: id.New(), AuthTime: time.Now(), Methods: call.SeveralFactors | call.Strong, ImpersonatorID: operatorID,
		Impersonation: &call.Impersonation{ID: id.New(), OrganizationID: d.organization, OperatorRole: call.OperatorSupport, Writes: writes},
	}
	token := "acting-" + actor.SessionID.String()
	d.tokens.Session(token, actor)
	return token
}

// send returns the status and the reason of an answer.
func (d *desk) send(method, token string, organizationID id.ID, rest, body string) (int, string) {
	d.t.Helper()
	request := httptest.NewRequestWithContext(d.t.Context(), method, "/api/v1/organizations/"+organizationID.String()+rest, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	d.server.ServeHTTP(recorder, request)
	_, reason, _ := strings.Cut(recorder.Body.String(), `"reason":"`)
	reason, _, _ = strings.Cut(reason, `"`)
	return recorder.Code, reason
}

func (d *desk) read(token string) int {
	status, _ := d.send(http.MethodGet, token, d.organization, "/tasks/"+id.New().String(), "")
	return status
}

func (d *desk) write(token string) (int, string) {
	return d.send(http.MethodPost, token, d.organization, "/projects/"+id.New().String()+"/tasks", `{"title":"One"}`)
}

func TestAnOperatorIsInAnOrganizationByAGrantOrNotAtAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	support, supportID := d.operator(call.OperatorSupport)
	admin, _ := d.operator(call.OperatorAdmin)
	robot, _ := d.operator(call.OperatorSystem)
	require.Equal(t, 404, d.read(support), "without a grant, as for any outsider")
	require.Empty(t, d.kept)
	d.letIn("viewer", organizationv1.SupportGrant_READ, time.Hour)
	require.Equal(t, 200, d.read(support))
	require.Equal(t, 200, d.read(admin))
	require.Equal(t, 404, d.read(robot), "automation is not let in")
	status, _ := d.send(http.MethodGet, support, id.New(), "/tasks/"+id.New().String(), "")
	require.Equal(t, 404, status, "another organization")
	status, reason := d.write(support)
	require.Equal(t, 403, status)
	require.Equal(t, "PERMISSION_DENIED", reason, "to read only")

	outsider := "outsider"
	d.tokens.RecentUser(outsider, id.New())
	require.Equal(t, 404, d.read(outsider))
	unproven := call.Actor{Kind: call.User, UserID: supportID, SessionID: id.New(), Operator: call.OperatorSupport, Methods: call.Password | call.Strong}
	d.tokens.Session("unproven", unproven)
	require.Equal(t, 404, d.read("unproven"), "an operator without a second factor is nobody")
	machine := call.Actor{Kind: call.User, UserID: supportID, CredentialID: id.New(), Limits: &call.Limits{Scopes: call.NewScopes([]string{"workflow.*"})}}
	d.tokens.Machine("machine", machine)
	require.Equal(t, 404, d.read("machine"), "nor is an access token of theirs")

	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	status, _ = d.write(support)
	require.Equal(t, 200, status)
	asked := len(d.asked)
	require.Equal(t, 200, d.read(support))
	require.Len(t, d.asked, asked, "what is fresh is remembered")

	d.grants = nil
	d.hear("used")
	require.Equal(t, 200, d.read(support), "that it was used changes nothing")
	d.hear("revoked")
	require.Equal(t, 404, d.read(support), "from the moment that it is heard")
	d.letIn("viewer", organizationv1.SupportGrant_READ, time.Minute)
	require.Equal(t, 200, d.read(support))
	d.clock.Advance(time.Minute)
	require.Equal(t, 404, d.read(support), "by itself, without anybody doing anything")
}

func TestEachRequestOfAnOperatorIsRecordedOrRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	support, supportID := d.operator(call.OperatorSupport)
	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	task := id.New()
	for range 3 {
		status, _ := d.send(http.MethodGet, support, d.organization, "/tasks/"+task.String(), "")
		require.Equal(t, 200, status)
	}
	status, _ := d.send(http.MethodGet, support, d.organization, "/projects/"+id.New().String()+"/tasks?pageSize=1", "")
	require.Equal(t, 200, status)
	_, _ = d.write(support)
	require.Len(t, d.kept, 5, "each page and each request")
	require.Equal(t, "/braid.workflow.v1.TaskService/GetTask", d.kept[0].Procedure)
	require.True(t, d.kept[0].ReadOnly)
	require.Equal(t, []call.Resource{{Type: "task", ID: task}}, d.kept[0].Resources)
	require.False(t, d.kept[4].ReadOnly)
	require.Equal(t, supportID, d.calls[0].Actor.UserID)
	require.Equal(t, d.organization, d.calls[0].SupportOrganizationID)
	require.Equal(t, d.grants.GetSupportGrantId(), d.calls[0].SupportGrantID.String())

	handled := d.handled
	d.fault = errors.New("the disk is full")
	status, reason := d.send(http.MethodGet, support, d.organization, "/tasks/"+task.String(), "")
	require.Equal(t, 503, status)
	require.Equal(t, "UNAVAILABLE", reason)
	require.Equal(t, handled, d.handled, "nothing was read")
}

func TestAMemberWhoIsAnOperatorKeepsTheirOwnMembership(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	support, supportID := d.operator(call.OperatorSupport)
	d.members[supportID] = "guest"
	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	require.NotEqual(t, 200, d.read(support), "a guest reads nothing, with or without a grant")
	d.members[supportID] = "admin"
	require.NoError(t, d.access.HandleEvent(bus.Event{Type: "organization.member.roles_changed", Subject: "member/" + supportID.String(), OrganizationID: d.organization}))
	require.Equal(t, 200, d.read(support))
	require.Empty(t, d.asked)
	require.Empty(t, d.kept, "and is recorded as any member is")
}

func TestNothingIsChangedInAFrozenOrganization(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	support, _ := d.operator(call.OperatorSupport)
	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	d.grants.OrganizationState = organizationv1.Organization_SUSPENDED
	d.hear("updated")
	_, reason := d.write(support)
	require.Equal(t, "ORGANIZATION_SUSPENDED", reason)
	require.Equal(t, 200, d.read(support))
}

func TestInSomebodysNameBothMustAllowIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, supportID := d.operator(call.OperatorSupport)
	owner, viewer, guest, gone := id.New(), id.New(), id.New(), id.New()
	d.members[owner], d.members[viewer], d.members[guest] = "owner", "viewer", "guest"
	require.Equal(t, 404, d.read(d.acting(supportID, owner, true)), "without a grant")
	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	writing := d.acting(supportID, owner, true)
	require.Equal(t, 200, d.read(writing))
	require.Equal(t, owner, d.calls[0].Actor.UserID)
	require.Equal(t, supportID, d.calls[0].Actor.ImpersonatorID, "both are in the record")
	status, _ := d.write(writing)
	require.Equal(t, 200, status)
	_, reason := d.write(d.acting(supportID, viewer, true))
	require.Equal(t, "PERMISSION_DENIED", reason, "the grant writes, the person does not")
	require.NotEqual(t, 200, d.read(d.acting(supportID, guest, true)))
	require.Equal(t, 404, d.read(d.acting(supportID, gone, true)), "no member")
	_, reason = d.write(d.acting(supportID, owner, false))
	require.Equal(t, "IMPERSONATION_READ_ONLY", reason, "begun when the grant was to read")
	status, _ = d.send(http.MethodGet, writing, id.New(), "/tasks/"+id.New().String(), "")
	require.Equal(t, 404, status, "another organization")

	d.letIn("viewer", organizationv1.SupportGrant_READ, time.Hour)
	_, reason = d.write(writing)
	require.Equal(t, "PERMISSION_DENIED", reason, "the grant allows less by now")
	d.grants = nil
	d.hear("revoked")
	require.Equal(t, 404, d.read(writing), "with the grant")

	// The operator's own membership is no grant.
	d.members[supportID] = "owner"
	require.NoError(t, d.access.HandleEvent(bus.Event{Type: "organization.member.added", Subject: "member/" + supportID.String(), OrganizationID: d.organization}))
	require.Equal(t, 404, d.read(writing))
}

// Who is asked about on the way is nobody by a grant: a grant makes no assignee and no recipient of a mail.
func TestAGrantIsForTheOperatorsOwnRequestsOnly(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, supportID := d.operator(call.OperatorSupport)
	d.letIn("member", organizationv1.SupportGrant_WRITE, time.Hour)
	actor := call.Actor{Kind: call.User, UserID: supportID, Operator: call.OperatorSupport, Methods: call.SeveralFactors}
	require.Error(t, d.access.Authorize(t.Context(), d.organization, supportID, ""), "by an event or a job")
	ctx := call.With(t.Context(), &call.Call{Procedure: "/x", Actor: actor})
	require.Error(t, d.access.Authorize(ctx, d.organization, supportID, ""), "where the chain records nothing")
	ctx = call.With(t.Context(), &call.Call{Procedure: "/x", Actor: call.Actor{Kind: call.User, UserID: id.New()}, SupportOrganizationID: d.organization})
	require.Error(t, d.access.Authorize(ctx, d.organization, supportID, ""), "by somebody else")
	ctx = call.With(t.Context(), &call.Call{Procedure: "/x", Actor: actor, SupportOrganizationID: d.organization})
	require.NoError(t, d.access.Authorize(ctx, d.organization, supportID, ""))
}
