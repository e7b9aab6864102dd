package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity"
)

// Every service reads from the token which required connection a login has passed.
func TestATokenSaysWhichConnectionItsLoginPassed(t *testing.T) {
	t.Parallel()
	c := newCompany(t, true)
	carl, err := c.signInBy(c.provider, c.byConnection(), "carl")
	require.NoError(t, err)
	require.Equal(t, c.connection.GetId(), claimsOf(t, carl.GetAccessToken())["sso"])
	require.NotContains(t, claimsOf(t, carl.GetAccessToken()), "sso_bypassed")
	refreshed, err := c.refresh(carl.GetRefreshToken())
	require.NoError(t, err)
	require.Equal(t, c.connection.GetId(), claimsOf(t, refreshed.GetAccessToken())["sso"], "a refresh keeps it")
	require.NotContains(t, claimsOf(t, c.ownerToken), "sso")

	dora := c.signUp("dora@corp.example")
	c.belongs.put(c.id, id.MustParse(dora.GetId()), "owner")
	broken, err := c.auth.Login(t.Context(), &identityv1.LoginRequest{Email: "dora@corp.example", Password: goodPassword, BreakGlass: true})
	require.NoError(t, err)
	claims := claimsOf(t, broken.GetAccessToken())
	require.Equal(t, c.connection.GetId(), claims["sso"])
	require.Equal(t, true, claims["sso_bypassed"])

	// The second step goes on where the first was.
	phone, _ := c.secure(broken.GetAccessToken())
	_, err = c.auth.Login(t.Context(), &identityv1.LoginRequest{Email: "dora@corp.example", Password: goodPassword, BreakGlass: true})
	requireReason(t, "FACTOR_REQUIRED", err)
	second, err := c.answer(factsOf(t, err)["challengeToken"], phone.code(0))
	require.NoError(t, err)
	require.Equal(t, true, claimsOf(t, second.GetAccessToken())["sso_bypassed"])
}

// A pause between two refreshes is remembered until the person has proven once more who they are.
func TestATokenSaysForHowLongItsSessionWasLeftAlone(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	login := h.signIn("ada@example.com")
	require.NotContains(t, claimsOf(t, login.GetAccessToken()), "pause")
	h.clock.Advance(2 * time.Hour)
	refreshed, err := h.refresh(login.GetRefreshToken())
	require.NoError(t, err)
	require.EqualValues(t, 7200, claimsOf(t, refreshed.GetAccessToken())["pause"])
	h.clock.Advance(time.Minute)
	refreshed, err = h.refresh(refreshed.GetRefreshToken())
	require.NoError(t, err)
	require.EqualValues(t, 7200, claimsOf(t, refreshed.GetAccessToken())["pause"], "the longest")
	raised, err := identityv1connect.NewLoginServiceClient(h.as(refreshed.GetAccessToken()), h.url).
		StepUp(t.Context(), &identityv1.StepUpRequest{Password: goodPassword})
	require.NoError(t, err)
	require.NotContains(t, claimsOf(t, raised.GetAccessToken()), "pause")
	refreshed, err = h.refresh(refreshed.GetRefreshToken())
	require.NoError(t, err)
	require.NotContains(t, claimsOf(t, refreshed.GetAccessToken()), "pause")
}

// Another provider and the password together are not the connection.
func TestLinkingIsNoWayPastARequiredConnection(t *testing.T) {
	t.Parallel()
	c := newCompanyThatTrusts(t)
	carl := c.signUp("carl@corp.example")
	c.belongs.put(c.id, id.MustParse(carl.GetId()), "member")
	_, err := c.signInBy(c.provider, byProvider("oidc"), "carl")
	requireReason(t, "LINK_REQUIRED", err)
	_, err = c.providers().LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{
		LinkToken: factsOf(t, err)["linkToken"], Password: goodPassword,
	})
	requireReason(t, "SSO_REQUIRED", err)
	require.Zero(t, c.count(`select count(*) from external_identity`))
}

func (h *harness) links() identityv1connect.ProviderLinkServiceClient {
	return identityv1connect.NewProviderLinkServiceClient(h.as(""), h.url)
}

// mailedLink is the token that notification would be told at the moment of sending.
func (h *harness) mailedLink(since int) string {
	h.t.Helper()
	asked := ofType[*identityv1.ProviderLinkRequested](h, since)
	require.Len(h.t, asked, 1)
	mails := identityv1connect.NewProviderLinkMailServiceClient(bearer{h.client, func() (string, error) { return h.forwarder.Token("identity") }}, h.url)
	mail, err := mails.GetProviderLinkMail(h.t.Context(), &identityv1.GetProviderLinkMailRequest{LinkId: asked[0].GetLinkId()})
	require.NoError(h.t, err)
	require.Equal(h.t, "Ada@example.com", mail.GetEmail())
	return mail.GetToken()
}

// A mail to the account's address proves that it is the person's own, together with what only the client holds that began.
func TestAnAccountIsLinkedByAMail(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	user := h.signUp("Ada@example.com")
	_, err := h.signInBy(provider, byProvider("oidc"), "ada")
	requireReason(t, "LINK_REQUIRED", err)
	linkToken := factsOf(t, err)["linkToken"]
	link := func(mailToken string) error {
		_, err := h.providers().LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{LinkToken: linkToken, MailToken: mailToken})
		return err
	}
	requireReason(t, "CODE_INVALID", link("guessed"))
	require.Error(t, link(""), "one of the two is shown")
	before := len(h.events())
	elsewhere := identityv1connect.NewProviderLinkServiceClient(h.client, h.url) // Another User-Agent.
	_, err = elsewhere.MailProviderLink(t.Context(), &identityv1.MailProviderLinkRequest{LinkToken: linkToken})
	requireReason(t, "CHALLENGE_EXPIRED", err)
	_, err = h.links().MailProviderLink(t.Context(), &identityv1.MailProviderLinkRequest{LinkToken: linkToken})
	require.NoError(t, err)
	mailed := h.mailedLink(before)
	requireReason(t, "CODE_INVALID", link("guessed"))
	h.clock.Advance(29 * time.Minute)
	stranger := identityv1connect.NewProviderServiceClient(h.client, h.url)
	_, err = stranger.LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{LinkToken: "another", MailToken: mailed})
	requireReason(t, "CHALLENGE_EXPIRED", err)
	linked, err := h.providers().LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{LinkToken: linkToken, MailToken: mailed})
	require.NoError(t, err)
	require.Equal(t, user.GetId(), linked.GetUser().GetId())
	require.Equal(t, []any{"sso"}, claimsOf(t, linked.GetAccessToken())["amr"])
	requireReason(t, "CHALLENGE_EXPIRED", link(mailed))
	for _, secret := range []string{mailed, linkToken} {
		require.NotContains(t, h.logs.String(), secret)
	}
}

// A second factor stands behind the mail as it does behind the password, and mails are few.
func TestAMailIsNoWayPastASecondFactor(t *testing.T) {
	t.Parallel()
	h, provider := federated(t, nil)
	h.signUp("Ada@example.com")
	h.secure(h.signIn("Ada@example.com").GetAccessToken())
	before := len(h.events())
	_, err := h.signInBy(provider, byProvider("oidc"), "ada")
	requireReason(t, "LINK_REQUIRED", err)
	linkToken := factsOf(t, err)["linkToken"]
	_, err = h.links().MailProviderLink(t.Context(), &identityv1.MailProviderLinkRequest{LinkToken: linkToken})
	require.NoError(t, err)
	_, err = h.providers().LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{LinkToken: linkToken, MailToken: h.mailedLink(before)})
	requireReason(t, "FACTOR_REQUIRED", err)

	_, err = h.signInBy(provider, byProvider("oidc"), "mallory")
	requireReason(t, "LINK_REQUIRED", err)
	linkToken = factsOf(t, err)["linkToken"]
	before = len(h.events())
	for range 9 {
		_, err = h.links().MailProviderLink(t.Context(), &identityv1.MailProviderLinkRequest{LinkToken: linkToken})
		require.NoError(t, err)
	}
	require.Less(t, len(ofType[*identityv1.ProviderLinkRequested](h, before)), 6)
}

func (h *harness) resetFactors(accessToken string, organizationID id.ID, userID string) error {
	_, err := identityv1connect.NewMemberFactorServiceClient(h.as(accessToken), h.url).ResetMemberFactors(h.t.Context(),
		&identityv1.ResetMemberFactorsRequest{OrganizationId: organizationID.String(), UserId: userID, Reason: "Lost the phone"})
	return err
}

func TestAnOwnerLetsTheirOwnPeopleBackIn(t *testing.T) {
	t.Parallel()
	c := newCompany(t, false)
	carl, guest, outsider := c.signUp("carl@corp.example"), c.signUp("guest@else.example"), c.signUp("new@corp.example")
	c.belongs.put(c.id, id.MustParse(carl.GetId()), "member")
	c.belongs.put(c.id, id.MustParse(guest.GetId()), "member")
	carls := c.signIn("carl@corp.example")
	c.secure(carls.GetAccessToken())
	guests := c.signIn("guest@else.example")
	c.secure(guests.GetAccessToken())
	olga := c.signIn("olga@hq.example")
	owner := olga.GetAccessToken()

	requireReason(t, "MEMBER_NOT_CAPTURED", c.resetFactors(owner, c.id, guest.GetId()))
	requireReason(t, "NOT_FOUND", c.resetFactors(owner, c.id, outsider.GetId()))
	requireReason(t, "NOT_FOUND", c.resetFactors(owner, c.id, id.New().String()))
	requireReason(t, "PERMISSION_DENIED", c.resetFactors(carls.GetAccessToken(), c.id, guest.GetId()))
	require.True(t, c.active(guests.GetAccessToken()))
	require.True(t, c.active(carls.GetAccessToken()))

	before := len(c.events())
	require.NoError(t, c.resetFactors(owner, c.id, carl.GetId()))
	require.False(t, c.active(carls.GetAccessToken()))
	reset := ofType[*identityv1.FactorsReset](c.harness, before)
	require.Len(t, reset, 1)
	require.Equal(t, c.id.String(), reset[0].GetOrganizationId())
	require.EqualValues(t, 1, reset[0].GetFactors())
	require.Equal(t, "Lost the phone", reset[0].GetReason())
	require.Zero(t, c.count(`select count(*) from factor where account_id = $1`, carl.GetId()))
	require.Zero(t, c.count(`select count(*) from backup_code where account_id = $1`, carl.GetId()))
	c.signIn("carl@corp.example")

	c.clock.Advance(11 * time.Minute)
	later, err := c.refresh(olga.GetRefreshToken())
	require.NoError(t, err)
	requireReason(t, "STEP_UP_REQUIRED", c.resetFactors(later.GetAccessToken(), c.id, carl.GetId()))
}

// newCompanyThatTrusts is newCompany, required, where the deployment's provider vouches for the company's addresses too.
func newCompanyThatTrusts(t *testing.T) *company {
	t.Helper()
	return foundCompany(t, true, func(config *identity.Config) { config.Providers.OIDC.TrustedDomains = []string{"corp.example"} })
}
