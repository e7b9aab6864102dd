package identity_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/id"
)

// readAccounts is a scope that an admin may have.
const readAccounts = "identity.service_account.read"

// token makes an access token, for one organization or, with the zero id, for all.
func (h *harness) token(session string, organization id.ID) (*identityv1.AccessToken, error) {
	return h.accessTokens(session).CreateAccessToken(h.t.Context(), &identityv1.CreateAccessTokenRequest{
		DisplayName: "Script", Scopes: []string{readAccounts}, OrganizationId: organization.String(),
	})
}

// demand changes what an organization asks of everybody, and lets this process hear of it.
func (h *harness) demand(policy *organizationv1.Policy) {
	h.belongs.set(func() { h.belongs.policy = policy })
	h.access.Clear()
}

// Who has no second factor makes no token that goes where their login may not, be it one for all organizations, or one that
// was made before the policy.
func TestATokenIsNoWayAroundASecondFactor(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "admin")
	before, err := h.token(session, organization)
	require.NoError(t, err)
	required := &organizationv1.Policy{SecondFactor: organizationv1.Policy_REQUIRED}
	h.demand(required)
	_, err = h.token(session, organization)
	require.Equal(t, "POLICY_FORBIDS", reasonOf(t, err))
	everywhere, err := h.token(session, id.ID{})
	require.NoError(t, err, "it may be good elsewhere")
	for what, secret := range map[string]string{"made before": before.GetToken(), "for all organizations": everywhere.GetToken()} {
		err := h.list(secret, organization)
		require.Equal(t, "POLICY_FORBIDS", reasonOf(t, err), what)
		require.Equal(t, "secondFactor", factsOf(t, err)["policy"], what)
		require.Equal(t, "rotateToken", factsOf(t, err)["action"], what)
	}

	app, _ := h.secure(session)
	require.Equal(t, "POLICY_FORBIDS", reasonOf(t, h.list(everywhere.GetToken(), organization)), "to have a factor is not to have shown it")
	strong, err := h.answer(h.challenge("ada@example.com"), app.code(1))
	require.NoError(t, err)
	rotated, err := h.accessTokens(strong.GetAccessToken()).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{
		AccessTokenId: everywhere.GetId(), Overlap: durationpb.New(time.Hour),
	})
	require.NoError(t, err)
	require.NoError(t, h.list(rotated.GetToken(), organization))
	require.Equal(t, "POLICY_FORBIDS", reasonOf(t, h.list(everywhere.GetToken(), organization)), "the old one is what it was")
}

// Where everybody has to sign in by the organization's own provider, a token of a login by password is none.
func TestATokenIsNoWayAroundSingleSignOn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "admin")
	made, err := h.token(session, id.ID{})
	require.NoError(t, err)
	require.NoError(t, h.list(made.GetToken(), organization))
	h.belongs.set(func() { h.belongs.connection = id.New() })
	h.access.Clear()
	err = h.list(made.GetToken(), organization)
	require.Equal(t, "POLICY_FORBIDS", reasonOf(t, err))
	require.Equal(t, "ssoConnection", factsOf(t, err)["policy"])
}

// A removed owner who comes back as a guest brings no token back.
func TestATokenEndsWithTheMembershipItWasMadeIn(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "admin")
	bound, err := h.token(session, organization)
	require.NoError(t, err)
	everywhere, err := h.token(session, id.ID{})
	require.NoError(t, err)
	require.NoError(t, h.list(bound.GetToken(), organization))
	h.clock.Advance(time.Minute)
	h.belongs.set(func() { h.belongs.joined = h.clock.Now() })
	h.access.Clear()
	require.Equal(t, "CREDENTIAL_NOT_ALLOWED", reasonOf(t, h.list(bound.GetToken(), organization)))
	require.NoError(t, h.list(everywhere.GetToken(), organization), "a token for all organizations is for those to come, too")
	rotated, err := h.accessTokens(session).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: bound.GetId()})
	require.NoError(t, err)
	require.NoError(t, h.list(rotated.GetToken(), organization), "whoever is a member now has said so")
}

// Where keys are forbidden nobody makes any, rotates any, or has tokens issued for one.
func TestNoKeysAreMadeWhereThePolicyTakesNone(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", readAccounts)
	bound, err := h.token(r.admin, r.organization)
	require.NoError(t, err)
	h.demand(&organizationv1.Policy{ApiKeys: organizationv1.Policy_FORBIDDEN})
	_, err = h.apiKeys(r.admin).CreateApiKey(t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Key", Scopes: []string{readAccounts},
	})
	requireReason(t, "POLICY_FORBIDS", err)
	require.Equal(t, "apiKeys", factsOf(t, err)["policy"])
	_, err = h.apiKeys(r.admin).RotateApiKey(t.Context(), &identityv1.RotateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: r.key.GetId(),
	})
	requireReason(t, "POLICY_FORBIDS", err)
	_, err = h.token(r.admin, r.organization)
	requireReason(t, "POLICY_FORBIDS", err)
	_, err = h.accessTokens(r.admin).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: bound.GetId()})
	requireReason(t, "POLICY_FORBIDS", err)
	status, answer, _ := h.form("/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basic(r.id, r.key.GetSecret()))
	refusedForm(t, http.StatusBadRequest, "unauthorized_client", status, answer, "an issued token is a key's")
}

// Of many rotations at once one has the successor; the others would be secrets that nobody knows of.
func TestACredentialIsRotatedOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", readAccounts)
	mine, err := h.token(r.admin, id.ID{})
	require.NoError(t, err)
	overlap := durationpb.New(time.Hour)
	rotateToken := func() (string, error) {
		made, err := h.accessTokens(r.admin).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: mine.GetId(), Overlap: overlap})
		return made.GetId(), err
	}
	rotateKey := func() (string, error) {
		made, err := h.apiKeys(r.admin).RotateApiKey(t.Context(), &identityv1.RotateApiKeyRequest{
			OrganizationId: r.organization.String(), ServiceAccountId: r.id, KeyId: r.key.GetId(), Overlap: overlap,
		})
		return made.GetId(), err
	}
	for what, rotate := range map[string]func() (string, error){"token": rotateToken, "key": rotateKey} {
		const times = 6
		var wait sync.WaitGroup
		made, refused := make([]string, times), make([]error, times)
		for i := range times {
			wait.Go(func() { made[i], refused[i] = rotate() })
		}
		wait.Wait()
		successor := ""
		for i := range times {
			if refused[i] == nil {
				require.Empty(t, successor, what)
				successor = made[i]
			}
		}
		require.NotEmpty(t, successor, what)
		for _, err := range refused {
			if err != nil {
				requireReason(t, "CREDENTIAL_ROTATED", err)
				require.Equal(t, successor, factsOf(t, err)["successorId"], what)
			}
		}
		if what == "token" {
			_, err := h.accessTokens(r.admin).DeleteAccessToken(t.Context(), &identityv1.DeleteAccessTokenRequest{AccessTokenId: successor})
			require.NoError(t, err)
			_, err = rotate()
			require.NoError(t, err, "a successor that is gone, its secret lost perhaps, is in nobody's way")
		}
	}
}

// A key that is used for nothing but to have tokens issued is in use: nobody deletes it for being idle.
func TestAKeyThatTokensAreIssuedForIsInUse(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", readAccounts)
	h.trade(r, "")
	uses := h.authenticator.TakeUses()
	require.Len(t, uses, 1)
	require.Equal(t, r.key.GetId(), uses[0].CredentialID.String())
}

// RFC 8414 and RFC 9068 know one issuer.
func TestTokensForClientsNameTheIssuerOfTheMetadata(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", readAccounts)
	issued := h.trade(r, "")
	_, document := h.rest(http.MethodGet, "/.well-known/oauth-authorization-server", "", "")
	require.Equal(t, document["issuer"], claimsOf(t, issued)["iss"])
	require.NoError(t, h.list(issued, r.organization))
	for _, token := range []string{issued, r.key.GetSecret()} {
		_, known, _ := h.form("/oauth2/introspect", url.Values{"token": {token}}, basic(r.id, r.key.GetSecret()))
		require.Equal(t, true, known["active"])
		require.Equal(t, document["issuer"], known["iss"])
		require.Equal(t, authn.Audience, known["aud"])
	}
}

func TestAFormThatIsTooLargeIsToldSo(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	status, answer, _ := h.form("/oauth2/token", url.Values{"grant_type": {strings.Repeat("x", 65<<10)}}, nil)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Contains(t, answer["error_description"], "64 KiB")
}
