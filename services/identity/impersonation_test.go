package identity_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// granted stands for organization: the support grants of organizations.
type granted struct {
	organizationv1connect.UnimplementedSupportAccessServiceHandler

	mu     sync.Mutex
	grants map[string]*organizationv1.GetSupportAccessResponse
	asked  []*organizationv1.GetSupportAccessRequest
	down   bool
}

func (g *granted) put(organizationID id.ID, grant *organizationv1.GetSupportAccessResponse) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.grants == nil {
		g.grants = map[string]*organizationv1.GetSupportAccessResponse{}
	}
	g.grants[organizationID.String()] = grant
}

// GetSupportAccess implements organizationv1connect.SupportAccessServiceHandler.
func (g *granted) GetSupportAccess(_ context.Context, request *organizationv1.GetSupportAccessRequest) (*organizationv1.GetSupportAccessResponse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, request)
	switch grant := g.grants[request.GetOrganizationId()]; {
	case g.down:
		return nil, connect.NewError(connect.CodeUnavailable, nil)
	case grant == nil:
		return &organizationv1.GetSupportAccessResponse{}, nil
	default:
		return grant, nil
	}
}

// letIn makes a live grant.
func (h *harness) letIn(organizationID id.ID, access organizationv1.SupportGrant_Access, lasts time.Duration) id.ID {
	grantID := id.New()
	h.granted.put(organizationID, &organizationv1.GetSupportAccessResponse{
		Granted: true, SupportGrantId: grantID.String(), Access: access, RoleId: "viewer", ExpireTime: timestamppb.New(h.clock.Now().Add(lasts)),
	})
	return grantID
}

func (h *harness) impersonations(token string) identityv1connect.ImpersonationServiceClient {
	return identityv1connect.NewImpersonationServiceClient(h.as(token), h.url)
}

func (h *harness) impersonate(token string, organizationID id.ID, userID string) (*identityv1.CreateImpersonationResponse, error) {
	return h.impersonations(token).CreateImpersonation(h.t.Context(), &identityv1.CreateImpersonationRequest{
		UserId: userID, OrganizationId: organizationID.String(), Reason: "Ticket 42",
	})
}

// live asks as any service does whether a token is good.
func (h *harness) live(token string) bool {
	_, err := h.authenticator.AuthenticateUser(h.t.Context(), token)
	return err == nil
}

func TestAnOperatorActsInSomebodysName(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	olga, organizationID := h.newOperator("olga@example.com", "support"), id.New()
	_, ada := h.member("ada@example.com", organizationID, "admin")
	grantID := h.letIn(organizationID, organizationv1.SupportGrant_WRITE, time.Hour)
	before := len(h.events())
	begun, err := h.impersonate(olga.token, organizationID, ada.GetId())
	require.NoError(t, err)

	claims := claimsOf(t, begun.GetAccessToken())
	require.Equal(t, ada.GetId(), claims["sub"])
	require.Equal(t, map[string]any{"sub": olga.user.GetId(), "braid_op": "support", "braid_writes": true}, claims["act"])
	require.Equal(t, organizationID.String(), claims["org"])
	require.NotContains(t, claims, "braid_op")
	require.InDelta(t, h.clock.Now().Add(30*time.Minute).Unix(), claims["exp"], 1)
	actor, err := h.authenticator.AuthenticateUser(t.Context(), begun.GetAccessToken())
	require.NoError(t, err)
	require.Equal(t, ada.GetId(), actor.UserID.String())
	require.Equal(t, olga.user.GetId(), actor.ImpersonatorID.String())
	require.Zero(t, actor.Operator)

	events := h.events()[before:]
	require.Len(t, events, 1)
	started := events[0].message.(*identityv1.ImpersonationStarted)
	require.Equal(t, grantID.String(), started.GetSupportGrantId())
	require.Equal(t, ada.GetId(), started.GetUserId())
	require.Equal(t, olga.user.GetId(), started.GetOperatorId())
	require.Equal(t, 1, h.count(`select count(*) from outbox where organization_id = $1`, organizationID), "it is in the organization's audit")
	require.NotContains(t, h.dump(), begun.GetAccessToken(), "the token is nowhere")

	listed, err := h.impersonations(olga.token).ListImpersonations(t.Context(), &identityv1.ListImpersonationsRequest{})
	require.NoError(t, err)
	require.Len(t, listed.GetImpersonations(), 1)
	require.Equal(t, "Ticket 42", listed.GetImpersonations()[0].GetReason())
	ole := h.newOperator("ole@example.com", "admin")
	listed, err = h.impersonations(ole.token).ListImpersonations(t.Context(), &identityv1.ListImpersonationsRequest{})
	require.NoError(t, err)
	require.Empty(t, listed.GetImpersonations(), "another's is not shown")
	_, err = h.impersonations(ole.token).DeleteImpersonation(t.Context(), &identityv1.DeleteImpersonationRequest{ImpersonationId: begun.GetImpersonation().GetId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.impersonate(ole.token, organizationID, ada.GetId())
	require.NoError(t, err)
	require.Equal(t, "admin", h.granted.asked[len(h.granted.asked)-1].GetOperatorRole(), "organization judges the role")
}

func TestNobodyIsImpersonatedWithoutAGrant(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	olga, organizationID := h.newOperator("olga@example.com", "support"), id.New()
	token, ada := h.member("ada@example.com", organizationID, "member")
	refused := func(token string, organizationID id.ID, userID string) string {
		_, err := h.impersonate(token, organizationID, userID)
		return reasonOf(t, err)
	}
	require.Equal(t, "NOT_FOUND", refused(olga.token, organizationID, ada.GetId()), "nobody let them in")
	h.letIn(organizationID, organizationv1.SupportGrant_READ, time.Hour)
	require.Equal(t, "NOT_FOUND", refused(olga.token, id.New(), ada.GetId()), "of another organization")
	require.Equal(t, "NOT_FOUND", refused(olga.token, organizationID, id.New().String()), "no member")
	require.Equal(t, "NOT_FOUND", refused(olga.token, organizationID, h.signUp("ben@example.com").GetId()), "no member")
	require.Equal(t, "PERMISSION_DENIED", refused(token, organizationID, olga.user.GetId()), "no operator")
	h.roles.Grant(organizationID, id.MustParse(olga.user.GetId()), "member")
	require.Equal(t, "IMPERSONATION_SELF", refused(olga.token, organizationID, olga.user.GetId()))
	h.granted.down = true
	require.Equal(t, "UNAVAILABLE", refused(olga.token, organizationID, ada.GetId()))
	h.granted.down = false
	h.letIn(organizationID, organizationv1.SupportGrant_READ, -time.Second)
	cleo := h.signUp("cleo@example.com")
	h.roles.Grant(organizationID, id.MustParse(cleo.GetId()), "member")
	require.Equal(t, "NOT_FOUND", refused(olga.token, organizationID, cleo.GetId()), "it has just ended")
	require.Zero(t, h.count(`select count(*) from impersonation`))
	h.clock.Advance(15 * time.Minute)
	h.letIn(organizationID, organizationv1.SupportGrant_READ, time.Hour)
	_, err := h.impersonate(olga.token, organizationID, cleo.GetId())
	require.Error(t, err, "the login is too old, or its token")
}

// Whatever of identity's, what the token is for is refused: each RPC of the contract is tried.
func TestAnImpersonationReachesNothingOfIdentity(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	olga, organizationID := h.newOperator("olga@example.com", "admin"), id.New()
	_, ada := h.member("ada@example.com", organizationID, "owner")
	h.letIn(organizationID, organizationv1.SupportGrant_WRITE, time.Hour)
	begun, err := h.impersonate(olga.token, organizationID, ada.GetId())
	require.NoError(t, err)
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	tried := 0
	for _, method := range methods {
		if method.Service != "identity" || method.Rule == rpc.Public || method.Rule == rpc.Internal || method.Path == "" {
			continue
		}
		path := method.Path
		for strings.Contains(path, "{") {
			begin, end := strings.Index(path, "{"), strings.Index(path, "}")
			value := id.New().String()
			if path[begin:end] == "{organization_id" {
				value = organizationID.String()
			}
			path = path[:begin] + value + path[end+1:]
		}
		body := ""
		if method.HTTPMethod != http.MethodGet && method.HTTPMethod != http.MethodDelete {
			body = "{}"
		}
		_, answer := h.rest(method.HTTPMethod, path, begun.GetAccessToken(), body)
		text, err := json.Marshal(answer)
		require.NoError(t, err)
		require.Contains(t, string(text), "IMPERSONATION_FORBIDS", "%s: %s", method.Procedure, text)
		tried++
	}
	require.Greater(t, tried, 40)
	_, err = h.refresh(begun.GetAccessToken())
	require.Error(t, err, "nothing refreshes it")
	require.Zero(t, h.count(`select count(*) from refresh_token where session_id = $1`, begun.GetImpersonation().GetId()))
	require.True(t, h.live(begun.GetAccessToken()))
}

func TestAnImpersonationEnds(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	olga, organizationID := h.newOperator("olga@example.com", "support"), id.New()
	_, ada := h.member("ada@example.com", organizationID, "member")
	begin := func(lasts time.Duration) (*identityv1.CreateImpersonationResponse, id.ID) {
		olga.token = h.enter("olga@example.com", olga.phone)
		grantID := h.letIn(organizationID, organizationv1.SupportGrant_READ, lasts)
		begun, err := h.impersonate(olga.token, organizationID, ada.GetId())
		require.NoError(t, err)
		require.True(t, h.live(begun.GetAccessToken()))
		return begun, grantID
	}
	begun, _ := begin(time.Hour)
	before := len(h.events())
	ended, err := h.impersonations(olga.token).DeleteImpersonation(t.Context(), &identityv1.DeleteImpersonationRequest{ImpersonationId: begun.GetImpersonation().GetId()})
	require.NoError(t, err)
	require.NotNil(t, ended.GetEndTime())
	require.False(t, h.live(begun.GetAccessToken()), "by the operator")
	require.Equal(t, []string{"identity.impersonation.ended"}, h.typesSince(before))

	begun, grantID := begin(time.Hour)
	h.apply(h.clock.Now(), &organizationv1.SupportGrantRevoked{OrganizationId: organizationID.String(), SupportGrantId: grantID.String()})
	h.clock.Advance(time.Second)
	require.False(t, h.live(begun.GetAccessToken()), "with the grant, within a second")

	begun, _ = begin(time.Hour)
	_, err = h.authAs(olga.token).Logout(t.Context(), &identityv1.LogoutRequest{})
	require.NoError(t, err)
	h.clock.Advance(time.Second)
	require.False(t, h.live(begun.GetAccessToken()), "with the operator's session, within a second")

	begun, _ = begin(time.Hour)
	require.NoError(t, h.commands().Remove(t.Context(), "olga@example.com"))
	h.clock.Advance(time.Second)
	require.False(t, h.live(begun.GetAccessToken()), "with the operator's role")
	_, err = h.commands().Create(t.Context(), "olga@example.com", "", "support")
	require.NoError(t, err)

	begun, _ = begin(10 * time.Minute)
	h.clock.Advance(10*time.Minute + authn.ClockLeeway)
	require.False(t, h.live(begun.GetAccessToken()), "with the end of the grant")
	begun, _ = begin(time.Hour)
	h.clock.Advance(29 * time.Minute)
	require.True(t, h.live(begun.GetAccessToken()), "longer than what a process remembers of ended sessions")
	h.clock.Advance(time.Minute + authn.ClockLeeway)
	require.False(t, h.live(begun.GetAccessToken()), "by itself")
}

// Another process that has heard nothing refuses as well.
func TestAnEndedImpersonationIsRefusedElsewhere(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	other := h.twin(testConfig())
	olga, organizationID := h.newOperator("olga@example.com", "support"), id.New()
	_, ada := h.member("ada@example.com", organizationID, "member")
	h.letIn(organizationID, organizationv1.SupportGrant_READ, time.Hour)
	begun, err := h.impersonate(olga.token, organizationID, ada.GetId())
	require.NoError(t, err)
	require.True(t, other.live(begun.GetAccessToken()))
	_, err = h.impersonations(olga.token).DeleteImpersonation(t.Context(), &identityv1.DeleteImpersonationRequest{ImpersonationId: begun.GetImpersonation().GetId()})
	require.NoError(t, err)
	h.clock.Advance(time.Second)
	require.False(t, other.live(begun.GetAccessToken()))
}
