package identity_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity"
)

func (h *harness) operators(accessToken string) identityv1connect.OperatorServiceClient {
	return identityv1connect.NewOperatorServiceClient(h.as(accessToken), h.url)
}

func (h *harness) operatorUsers(accessToken string) identityv1connect.OperatorUserServiceClient {
	return identityv1connect.NewOperatorUserServiceClient(h.as(accessToken), h.url)
}

// commands are those of the command line, beside the harness's process.
func (h *harness) commands() *identity.Operators {
	return identity.OpenOperators(h.database.DB, h.material.keys, h.clock)
}

// operator is an operator with an account, a role and a second factor.
type operator struct {
	user  *identityv1.User
	phone authenticatorApp
	token string
}

// newOperator makes an operator by the command line, and signs them in with an authenticator app.
func (h *harness) newOperator(email, role string) operator {
	h.t.Helper()
	user := h.signUp(email)
	_, err := h.commands().Create(h.t.Context(), email, "", role)
	require.NoError(h.t, err)
	phone, _ := h.secure(h.signIn(email).GetAccessToken())
	return operator{user, phone, h.enter(email, phone)}
}

// enter logs in with the password and a code.
func (h *harness) enter(email string, phone authenticatorApp) string {
	h.t.Helper()
	login, err := h.answer(h.challenge(email), phone.code(0))
	require.NoError(h.t, err)
	h.clock.Advance(30 * time.Second)
	return login.GetAccessToken()
}

func (h *harness) makeOperator(token, email string, role identityv1.Operator_Role) (*identityv1.Operator, error) {
	return h.operators(token).CreateOperator(h.t.Context(), &identityv1.CreateOperatorRequest{Email: email, Role: role})
}

func TestTheCommandLineMakesTheFirstAdminAndRemovesTheLast(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	ada := h.signUp("ada@example.com")
	before := len(h.events())
	made, err := h.commands().Create(ctx, " Ada@Example.com ", "", "admin")
	require.NoError(t, err)
	require.Equal(t, ada.GetId(), made.UserID.String(), "the account there is")
	require.Equal(t, []string{"identity.operator.created"}, h.typesSince(before))
	_, err = h.commands().Create(ctx, "ada@example.com", "", "support")
	require.ErrorContains(t, err, "OPERATOR_EXISTS")
	for _, role := range []string{"", "owner", "Admin"} {
		_, err = h.commands().Create(ctx, "ben@example.com", "", role)
		require.ErrorContains(t, err, "support system admin")
	}
	_, err = h.commands().Create(ctx, "no address", "", "admin")
	require.Error(t, err)
	listed, err := h.commands().List(ctx)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.Equal(t, "ada@example.com", listed[0].Email)
	require.False(t, listed[0].Secured)

	h.signIn("ada@example.com")
	before = len(h.events())
	require.NoError(t, h.commands().Remove(ctx, "ada@example.com"))
	require.Equal(t, []string{"identity.session.revoked", "identity.operator.removed"}, h.typesSince(before))
	require.Zero(t, h.count(`select count(*) from session`))
	require.ErrorContains(t, h.commands().Remove(ctx, "ada@example.com"), "no operator")
	require.ErrorContains(t, h.commands().Remove(ctx, "nobody@example.com"), "no operator")
}

// Whoever has no account gets one without a password, and a link to set it: nothing secret is printed or chosen.
func TestAnOperatorWithoutAnAccountSetsAPasswordByMail(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	before := len(h.events())
	made, err := h.commands().Create(t.Context(), "Ola@example.com", "", "support")
	require.NoError(t, err)
	require.Equal(t, []string{"identity.user.registered", "identity.password.reset_requested", "identity.operator.created"}, h.typesSince(before))
	registered := h.events()[before].message.(*identityv1.UserRegistered)
	require.Equal(t, "Ola", registered.GetDisplayName())
	_, err = h.login("ola@example.com", "")
	require.Error(t, err, "no password is not the empty password")
	requested := h.events()[before+1].message.(*identityv1.PasswordResetRequested)
	mail, err := h.accountMails().GetPasswordResetMail(t.Context(), &identityv1.GetPasswordResetMailRequest{ResetId: requested.GetResetId()})
	require.NoError(t, err)
	require.Equal(t, "Ola@example.com", mail.GetEmail())
	require.NoError(t, h.reset(mail.GetToken(), goodPassword))
	login := h.signIn("ola@example.com")
	require.Equal(t, made.UserID.String(), claimsOf(t, login.GetAccessToken())["sub"])
	require.Equal(t, "support", claimsOf(t, login.GetAccessToken())["braid_op"])
}

func TestAdminsSayWhoRunsTheDeployment(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	ada := h.newOperator("ada@example.com", "admin")
	ben := h.signUp("ben@example.com")
	before := len(h.events())
	made, err := h.makeOperator(ada.token, "ben@example.com", identityv1.Operator_SUPPORT)
	require.NoError(t, err)
	require.Equal(t, ben.GetId(), made.GetUserId())
	require.Equal(t, ada.user.GetId(), made.GetCreatorId())
	require.Equal(t, []string{"identity.operator.created"}, h.typesSince(before))
	require.Contains(t, h.events()[before].attributes, ada.user.GetId(), "who did it")
	_, err = h.makeOperator(ada.token, "BEN@example.com", identityv1.Operator_ADMIN)
	require.Equal(t, "OPERATOR_EXISTS", reasonOf(t, err))

	page, err := h.operators(ada.token).ListOperators(ctx, &identityv1.ListOperatorsRequest{PageSize: 1})
	require.NoError(t, err)
	require.Equal(t, "ada@example.com", page.GetOperators()[0].GetEmail())
	require.True(t, page.GetOperators()[0].GetSecured())
	page, err = h.operators(ada.token).ListOperators(ctx, &identityv1.ListOperatorsRequest{PageSize: 1, PageToken: page.GetNextPageToken()})
	require.NoError(t, err)
	require.Equal(t, "ben@example.com", page.GetOperators()[0].GetEmail())
	require.Empty(t, page.GetNextPageToken())
	page, err = h.operators(ada.token).ListOperators(ctx, &identityv1.ListOperatorsRequest{Filter: `role = ADMIN AND email:"ada"`, OrderBy: "email desc"})
	require.NoError(t, err)
	require.Len(t, page.GetOperators(), 1)

	session := h.signIn("ben@example.com")
	before = len(h.events())
	_, err = h.operators(ada.token).UpdateOperator(ctx, &identityv1.UpdateOperatorRequest{
		UserId: made.GetUserId(), Operator: &identityv1.Operator{Role: identityv1.Operator_ADMIN, Etag: "ff"},
	})
	require.Equal(t, "ETAG_MISMATCH", reasonOf(t, err))
	changed, err := h.operators(ada.token).UpdateOperator(ctx, &identityv1.UpdateOperatorRequest{
		UserId: made.GetUserId(), Operator: &identityv1.Operator{Role: identityv1.Operator_ADMIN, Etag: made.GetEtag()},
	})
	require.NoError(t, err)
	require.Equal(t, identityv1.Operator_ADMIN, changed.GetRole())
	require.Equal(t, "ben@example.com", changed.GetEmail())
	require.Equal(t, []string{"identity.session.revoked", "identity.operator.updated"}, h.typesSince(before))
	require.False(t, h.active(session.GetAccessToken()))
	_, err = h.refresh(session.GetRefreshToken())
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
	got, err := h.operators(ada.token).GetOperator(ctx, &identityv1.GetOperatorRequest{UserId: made.GetUserId()})
	require.NoError(t, err)
	require.Equal(t, changed.GetEtag(), got.GetEtag())

	_, err = h.operators(ada.token).DeleteOperator(ctx, &identityv1.DeleteOperatorRequest{UserId: made.GetUserId()})
	require.NoError(t, err)
	for _, gone := range []string{made.GetUserId(), id.New().String()} {
		_, err = h.operators(ada.token).DeleteOperator(ctx, &identityv1.DeleteOperatorRequest{UserId: gone})
		require.Equal(t, "NOT_FOUND", reasonOf(t, err))
		_, err = h.operators(ada.token).GetOperator(ctx, &identityv1.GetOperatorRequest{UserId: gone})
		require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	}
	require.NotContains(t, claimsOf(t, h.signIn("ben@example.com").GetAccessToken()), "braid_op", "a person like any other")
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	ada := h.newOperator("ada@example.com", "admin")
	h.newOperator("ben@example.com", "support")
	demote := func(token, userID string) error {
		_, err := h.operators(token).UpdateOperator(ctx, &identityv1.UpdateOperatorRequest{
			UserId: userID, Operator: &identityv1.Operator{Role: identityv1.Operator_SUPPORT},
		})
		return err
	}
	require.Equal(t, "LAST_OPERATOR_ADMIN", reasonOf(t, demote(ada.token, ada.user.GetId())))
	_, err := h.operators(ada.token).DeleteOperator(ctx, &identityv1.DeleteOperatorRequest{UserId: ada.user.GetId()})
	require.Equal(t, "LAST_OPERATOR_ADMIN", reasonOf(t, err))

	// Two admins who demote each other at once: one of them stays, in whatever process they are.
	cleo := h.newOperator("cleo@example.com", "admin")
	twin := h.twin(testConfig())
	var wait sync.WaitGroup
	failures := make([]error, 2)
	wait.Go(func() { failures[0] = demote(ada.token, cleo.user.GetId()) })
	wait.Go(func() {
		_, failures[1] = twin.operators(cleo.token).UpdateOperator(ctx, &identityv1.UpdateOperatorRequest{
			UserId: ada.user.GetId(), Operator: &identityv1.Operator{Role: identityv1.Operator_SUPPORT},
		})
	})
	wait.Wait()
	require.Equal(t, 1, h.count(`select count(*) from operator where role = 'admin'`))
	require.True(t, (failures[0] == nil) != (failures[1] == nil), "%v", failures)
}

func TestOnlyAdminsWithASecondFactorRunTheDeployment(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	admin := h.newOperator("ada@example.com", "admin")
	support := h.newOperator("sue@example.com", "support")
	system := h.newOperator("sam@example.com", "system")
	h.signUp("eve@example.com")
	eve := h.signIn("eve@example.com").GetAccessToken()
	calls := func(token, email string) map[string]error {
		_, list := h.operators(token).ListOperators(ctx, &identityv1.ListOperatorsRequest{})
		_, get := h.operators(token).GetOperator(ctx, &identityv1.GetOperatorRequest{UserId: admin.user.GetId()})
		_, create := h.makeOperator(token, email, identityv1.Operator_ADMIN)
		_, update := h.operators(token).UpdateOperator(ctx, &identityv1.UpdateOperatorRequest{
			UserId: admin.user.GetId(), Operator: &identityv1.Operator{Role: identityv1.Operator_SUPPORT},
		})
		_, remove := h.operators(token).DeleteOperator(ctx, &identityv1.DeleteOperatorRequest{UserId: admin.user.GetId()})
		_, reset := h.operatorUsers(token).ResetFactors(ctx, &identityv1.ResetFactorsRequest{UserId: admin.user.GetId(), Reason: "asked"})
		return map[string]error{"list": list, "get": get, "create": create, "update": update, "delete": remove, "reset": reset}
	}
	before := len(h.events())
	for who, token := range map[string]string{"a person": eve, "support": support.token, "system": system.token} {
		known, unknown := calls(token, "ada@example.com"), calls(token, "nobody@example.com")
		for name, err := range known {
			require.Equal(t, "PERMISSION_DENIED", reasonOf(t, err), "%s: %s", who, name)
			require.Equal(t, map[string]string{"operator": "admin"}, factsOf(t, err))
		}
		require.Equal(t, known["create"].Error(), unknown["create"].Error(), "who has an account shows in no refusal")
	}
	_, err := h.makeOperator("", "nobody@example.com", identityv1.Operator_ADMIN)
	require.Equal(t, "TOKEN_MISSING", reasonOf(t, err))
	service, err := h.serviceToken()
	require.NoError(t, err)
	_, err = h.makeOperator(service, "nobody@example.com", identityv1.Operator_ADMIN)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "a service is no operator")
	require.Len(t, h.events(), before, "nothing happened")

	// An admin without a second factor, and one who has not shown it.
	h.signUp("noa@example.com")
	_, err = h.commands().Create(ctx, "noa@example.com", "", "admin")
	require.NoError(t, err)
	noa := h.signIn("noa@example.com")
	for name, err := range calls(noa.GetAccessToken(), "nobody@example.com") {
		require.Equal(t, "POLICY_FORBIDS", reasonOf(t, err), name)
		require.Equal(t, map[string]string{"policy": "secondFactor", "action": "enrollFactor"}, factsOf(t, err), name)
	}
	h.secure(h.signIn("noa@example.com").GetAccessToken())
	refreshed, err := h.refresh(noa.GetRefreshToken())
	require.NoError(t, err)
	_, err = h.operators(refreshed.GetAccessToken()).ListOperators(ctx, &identityv1.ListOperatorsRequest{})
	require.Equal(t, "POLICY_FORBIDS", reasonOf(t, err))
	require.Equal(t, map[string]string{"policy": "secondFactor", "action": "stepUp", "acr": "urn:braid:acr:strong"}, factsOf(t, err))
}

func TestARecentProofIsAskedOfAdminsWhoChangeOperators(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada := h.newOperator("ada@example.com", "admin")
	h.clock.Advance(9 * time.Minute)
	login, err := h.answer(h.challenge("ada@example.com"), ada.phone.code(0))
	require.NoError(t, err)
	h.clock.Advance(9 * time.Minute)
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(t, err)
	h.clock.Advance(2 * time.Minute)
	token := refreshed.GetAccessToken()
	_, err = h.operators(token).ListOperators(t.Context(), &identityv1.ListOperatorsRequest{})
	require.NoError(t, err, "to look is free")
	_, err = h.makeOperator(token, "ben@example.com", identityv1.Operator_ADMIN)
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, err))
	raised, err := h.stepUpByCode(token, ada.phone.code(0))
	require.NoError(t, err)
	_, err = h.makeOperator(raised.GetAccessToken(), "ben@example.com", identityv1.Operator_ADMIN)
	require.NoError(t, err)
}

// What is answered to an admin is the same whether or not the address had an account.
func TestMakingAnOperatorTellsNotWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada := h.newOperator("ada@example.com", "admin")
	h.signUp("ben@example.com")
	known, err := h.makeOperator(ada.token, "ben@example.com", identityv1.Operator_SUPPORT)
	require.NoError(t, err)
	unknown, err := h.makeOperator(ada.token, "new@example.com", identityv1.Operator_SUPPORT)
	require.NoError(t, err)
	for _, made := range []*identityv1.Operator{known, unknown} {
		made.UserId, made.Email = "", ""
	}
	require.Equal(t, known.String(), unknown.String())
	_, err = h.makeOperator(ada.token, "not an address", identityv1.Operator_SUPPORT)
	require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, err))
}

// The token's word is not the database's: whatever a token says, who is no admin sees and changes no operator.
func TestTheDatabaseKnowsWhoIsAnAdmin(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	ada, ben := h.newOperator("ada@example.com", "admin"), h.newOperator("ben@example.com", "admin")
	// Behind identity's back: no session ends, so the token goes on saying what it said.
	_, err := h.database.Admin.Exec(ctx, `delete from operator where account_id = $1`, ben.user.GetId())
	require.NoError(t, err)
	page, err := h.operators(ben.token).ListOperators(ctx, &identityv1.ListOperatorsRequest{})
	require.NoError(t, err)
	require.Empty(t, page.GetOperators())
	_, err = h.operators(ben.token).DeleteOperator(ctx, &identityv1.DeleteOperatorRequest{UserId: ada.user.GetId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.makeOperator(ben.token, "ben@example.com", identityv1.Operator_ADMIN)
	require.Error(t, err)
	require.Equal(t, 1, h.count(`select count(*) from operator`))
}

// A login that is under way while its person's role ends waits, or is ended with the others.
func TestNoLoginOutlivesTheRole(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ben@example.com")
	for range 5 {
		_, err := h.commands().Create(t.Context(), "ben@example.com", "", "admin")
		require.NoError(t, err)
		var wait sync.WaitGroup
		tokens := make([]string, 4)
		for i := range tokens {
			wait.Go(func() { tokens[i] = h.signIn("ben@example.com").GetAccessToken() })
		}
		wait.Go(func() { require.NoError(t, h.commands().Remove(t.Context(), "ben@example.com")) })
		wait.Wait()
		for _, token := range tokens {
			if claimsOf(t, token)["braid_op"] != nil {
				sessionID := claimsOf(t, token)["sid"]
				require.Zero(t, h.count(`select count(*) from session where id = $1`, sessionID), "the session says more than its person may")
			}
		}
	}
}

func TestAnotherProcessRefusesARemovedOperator(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ada, ben := h.newOperator("ada@example.com", "admin"), h.newOperator("ben@example.com", "admin")
	twin := h.twin(testConfig())
	list := func() error {
		_, err := twin.operators(ben.token).ListOperators(t.Context(), &identityv1.ListOperatorsRequest{})
		return err
	}
	require.NoError(t, list())
	before := len(h.events())
	_, err := h.operators(ada.token).DeleteOperator(t.Context(), &identityv1.DeleteOperatorRequest{UserId: ben.user.GetId()})
	require.NoError(t, err)
	for _, event := range h.events()[before:] {
		twin.hear(event.message)
	}
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, list()), "the end of a session is heard, as any is")
}

func TestOperatorsResetLostFactors(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	ctx := t.Context()
	ada := h.newOperator("ada@example.com", "admin")
	ben := h.signUp("ben@example.com")
	reset := func(userID, reason string) error {
		_, err := h.operatorUsers(ada.token).ResetFactors(ctx, &identityv1.ResetFactorsRequest{UserId: userID, Reason: reason})
		return err
	}
	require.Equal(t, "FACTOR_MISSING", reasonOf(t, reset(ben.GetId(), "Lost phone")))
	open := h.signIn("ben@example.com")
	_, codes := h.secure(open.GetAccessToken())
	require.Equal(t, "NOT_FOUND", reasonOf(t, reset(id.New().String(), "Lost phone")))
	require.Equal(t, "INVALID_ARGUMENT", reasonOf(t, reset(ben.GetId(), "")))
	require.True(t, h.active(open.GetAccessToken()))
	challenge := h.challenge("ben@example.com")

	before := len(h.events())
	require.NoError(t, reset(ben.GetId(), "Lost phone, seen with passport"))
	require.Equal(t, []string{"identity.session.revoked", "identity.factor.reset_by_operator"}, h.typesSince(before))
	told := h.events()[before+1]
	require.Contains(t, told.attributes, ada.user.GetId(), "who did it")
	require.Equal(t, "Lost phone, seen with passport", told.message.(*identityv1.FactorsResetByOperator).GetReason())
	require.False(t, h.active(open.GetAccessToken()))
	require.Zero(t, h.count(`select count(*) from backup_code where account_id = $1`, ben.GetId()))
	_, err := h.answer(challenge, codes[0])
	require.Error(t, err, "a code of before gets nowhere")
	require.NotEmpty(t, h.signIn("ben@example.com").GetAccessToken(), "the password alone gets in")
	require.True(t, h.active(ada.token), "nobody else is concerned")
	require.Equal(t, 1, h.count(`select count(*) from factor`))
}
