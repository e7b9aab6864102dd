package identity_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// lateCredentials asks identity itself, as every process does.
type lateCredentials struct{ h *harness }

func (l lateCredentials) client() authn.CredentialClient {
	return authn.CredentialClient{CredentialServiceClient: l.h.credentials}
}

func (l lateCredentials) Verify(ctx context.Context, hash credential.Hash) (authn.Credential, error) {
	return l.client().Verify(ctx, hash)
}

func (l lateCredentials) Good(ctx context.Context, credentialID, tokenID id.ID) (bool, error) {
	return l.client().Good(ctx, credentialID, tokenID)
}

func (h *harness) accessTokens(token string) identityv1connect.AccessTokenServiceClient {
	return identityv1connect.NewAccessTokenServiceClient(h.as(token), h.url)
}

func (h *harness) serviceAccounts(token string) identityv1connect.ServiceAccountServiceClient {
	return identityv1connect.NewServiceAccountServiceClient(h.as(token), h.url)
}

func (h *harness) apiKeys(token string) identityv1connect.ApiKeyServiceClient {
	return identityv1connect.NewApiKeyServiceClient(h.as(token), h.url)
}

// member signs a person up and in, with a role in an organization.
func (h *harness) member(email string, organizationID id.ID, role string) (string, *identityv1.User) {
	h.t.Helper()
	user := h.signUp(email)
	h.roles.Grant(organizationID, id.MustParse(user.GetId()), role)
	return h.signIn(email).GetAccessToken(), user
}

// robot is a service account with a role and a key.
type robot struct {
	organization id.ID
	id           string
	key          *identityv1.ApiKey
	// admin is the session of who made it.
	admin string
}

// newRobot makes a service account with a key for the scopes, and gives it a role.
func (h *harness) newRobot(role string, scopes ...string) robot {
	h.t.Helper()
	r := robot{organization: id.New()}
	// All of identity's permissions are an owner's only.
	r.admin, _ = h.member("admin-"+strings.ToLower(r.organization.String())+"@example.com", r.organization, "owner")
	account, err := h.serviceAccounts(r.admin).CreateServiceAccount(h.t.Context(), &identityv1.CreateServiceAccountRequest{
		OrganizationId: r.organization.String(), DisplayName: "Robot",
	})
	require.NoError(h.t, err)
	r.id = account.GetId()
	if role != "" {
		h.roles.Grant(r.organization, id.MustParse(r.id), role)
	}
	r.key, err = h.apiKeys(r.admin).CreateApiKey(h.t.Context(), &identityv1.CreateApiKeyRequest{
		OrganizationId: r.organization.String(), ServiceAccountId: r.id, DisplayName: "Key", Scopes: scopes,
	})
	require.NoError(h.t, err)
	return r
}

// list reads the organization's service accounts: what an admin may, within scopes.
func (h *harness) list(token string, organization id.ID) error {
	_, err := h.serviceAccounts(token).ListServiceAccounts(h.t.Context(), &identityv1.ListServiceAccountsRequest{OrganizationId: organization.String()})
	return err
}

func TestAccessTokenActsAsItsPersonWithinItsScopes(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, user := h.member("ada@example.com", organization, "admin")
	status, made := h.rest(http.MethodPost, "/api/v1/me/access-tokens", session,
		`{"displayName":"Backup","scopes":["identity.service_account.read"],"allowedNetworks":["127.0.0.1/8"]}`)
	require.Equal(t, http.StatusOK, status, "%v", made)
	secret, _ := made["token"].(string)
	require.Regexp(t, credential.Pattern, secret)
	require.Equal(t, []any{"127.0.0.0/8"}, made["allowedNetworks"])
	require.Equal(t, h.clock.Now().Add(90*24*time.Hour).Format(time.RFC3339), made["expireTime"])

	me, err := h.me(secret).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.NoError(t, err)
	require.Equal(t, user.GetId(), me.GetId())
	require.NoError(t, h.list(secret, organization))
	_, err = h.apiKeys(secret).ListApiKeys(t.Context(), &identityv1.ListApiKeysRequest{OrganizationId: organization.String(), ServiceAccountId: id.New().String()})
	require.Equal(t, "SCOPE_MISSING", reasonOf(t, err), "an admin may read keys, this token may not")
	require.Equal(t, "NOT_FOUND", reasonOf(t, h.list(secret, id.New())), "another organization stays unknown")

	h.roles.Grant(organization, id.MustParse(user.GetId()), "viewer")
	h.clock.Advance(time.Minute)
	denied := h.refusedAfterChange(secret, organization)
	require.Equal(t, "PERMISSION_DENIED", denied, "the person's own permissions decide, at every use")

	status, shown := h.rest(http.MethodGet, "/api/v1/me/access-tokens/"+made["id"].(string), session, "")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, shown["token"], "a secret is shown once")
	require.NotContains(t, h.dump(), secret)
	require.NotContains(t, h.logs.String(), secret)
}

// refusedAfterChange asks with the harness's permission cache emptied, as the event of a changed role does.
func (h *harness) refusedAfterChange(token string, organization id.ID) string {
	h.t.Helper()
	h.access.Clear()
	return reasonOf(h.t, h.list(token, organization))
}

func TestAccessTokensCantMakeOrChangeCredentials(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "owner")
	made, err := h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{DisplayName: "All", Scopes: []string{"identity.*", "organization.*", "workflow.*"}})
	require.NoError(t, err)
	account, err := h.serviceAccounts(session).CreateServiceAccount(t.Context(), &identityv1.CreateServiceAccountRequest{OrganizationId: organization.String(), DisplayName: "Robot"})
	require.NoError(t, err)
	base := "/api/v1/organizations/" + organization.String() + "/service-accounts"
	for _, refused := range [][3]string{
		{"POST", "/api/v1/me/access-tokens", `{"displayName":"More","scopes":["workflow.*"]}`},
		{"GET", "/api/v1/me/access-tokens", ""},
		{"POST", "/api/v1/me/access-tokens/" + made.GetId() + ":rotate", `{}`},
		{"DELETE", "/api/v1/me/access-tokens/" + made.GetId(), ""},
		{"GET", "/api/v1/me/sessions", ""},
		{"DELETE", "/api/v1/me/sessions/" + id.New().String(), ""},
		{"PATCH", "/api/v1/me", `{"displayName":"Eve"}`},
		{"POST", "/api/v1/auth/logout", `{}`},
		{"POST", base, `{"displayName":"More"}`},
		{"PATCH", base + "/" + account.GetId(), `{"displayName":"Eve"}`},
		{"DELETE", base + "/" + account.GetId(), ""},
		{"POST", base + "/" + account.GetId() + "/keys", `{"displayName":"More","scopes":["workflow.*"]}`},
	} {
		status, answer := h.rest(refused[0], refused[1], made.GetToken(), refused[2])
		require.Equal(t, http.StatusForbidden, status, "%s %s: %v", refused[0], refused[1], answer)
		require.Contains(t, mustJSON(t, answer), `"CREDENTIAL_NOT_ALLOWED"`)
	}
	require.False(t, h.active(made.GetToken()), "it is no session")
}

func TestRotationGivesNothingMore(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "admin")
	tokens := h.accessTokens(session)
	expires := timestamppb.New(h.clock.Now().Add(10 * 24 * time.Hour))
	old, err := tokens.CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{
		DisplayName: "Narrow", Scopes: []string{"identity.service_account.read"}, OrganizationId: organization.String(),
		ExpireTime: expires, AllowedNetworks: []string{"127.0.0.0/8"},
	})
	require.NoError(t, err)
	status, refused := h.rest(http.MethodPost, "/api/v1/me/access-tokens/"+old.GetId()+":rotate", session, `{"scopes":["workflow.*"]}`)
	require.Equal(t, http.StatusBadRequest, status, "%v", refused)
	require.NoError(t, h.list(old.GetToken(), organization))

	h.clock.Advance(24 * time.Hour)
	session = h.signIn("ada@example.com").GetAccessToken()
	tokens = h.accessTokens(session)
	next, err := tokens.RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: old.GetId(), Overlap: durationpb.New(time.Hour)})
	require.NoError(t, err)
	require.Equal(t, old.GetScopes(), next.GetScopes())
	require.Equal(t, old.GetAllowedNetworks(), next.GetAllowedNetworks())
	require.Equal(t, old.GetOrganizationId(), next.GetOrganizationId())
	require.Equal(t, h.clock.Now().Add(10*24*time.Hour), next.GetExpireTime().AsTime(), "for as long as it was made for")
	require.NoError(t, h.list(next.GetToken(), organization))
	h.clock.Advance(time.Hour - time.Microsecond)
	require.NoError(t, h.list(old.GetToken(), organization), "the old one works on for the overlap")
	h.clock.Advance(time.Microsecond)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(old.GetToken(), organization)))
	session = h.signIn("ada@example.com").GetAccessToken()
	_, err = h.accessTokens(session).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: old.GetId()})
	require.Equal(t, "CREDENTIAL_EXPIRED", reasonOf(t, err))

	last, err := h.accessTokens(session).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: next.GetId()})
	require.NoError(t, err)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(next.GetToken(), organization)), "without an overlap it ends at once")
	require.NoError(t, h.list(last.GetToken(), organization))
}

func TestAccessTokenRules(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	require.NoError(t, store.MachineCredentials.Validate())
	require.NoError(t, store.ServiceAccounts.Validate())
	session, _ := h.member("ada@example.com", id.New(), "owner")
	now := h.clock.Now()
	for name, row := range map[string]struct {
		request *identityv1.CreateAccessTokenRequest
		field   string
	}{
		"no name":            {&identityv1.CreateAccessTokenRequest{DisplayName: " ", Scopes: []string{"workflow.*"}}, "displayName"},
		"no scope":           {&identityv1.CreateAccessTokenRequest{DisplayName: "x"}, "scopes"},
		"unknown permission": {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.task.read", "workflow.task.invent"}}, "scopes[1]"},
		"unknown service":    {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"nothing.*"}}, "scopes[0]"},
		"bare service":       {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow"}}, "scopes[0]"},
		"everything":         {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"*"}}, "scopes[0]"},
		"makes keys":         {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"identity.api_key.create"}}, "scopes[0]"},
		"in the past":        {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, ExpireTime: timestamppb.New(now)}, "expireTime"},
		"over since ever":    {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, ExpireTime: &timestamppb.Timestamp{Seconds: -62135596800}}, "expireTime"},
		"after all years":    {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, ExpireTime: &timestamppb.Timestamp{Seconds: 253402300800}}, "expireTime"},
		"for too long":       {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, ExpireTime: timestamppb.New(now.Add(366 * 24 * time.Hour))}, "expireTime"},
		"no network":         {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, AllowedNetworks: []string{"10.0.0.1"}}, "allowedNetworks[0]"},
		"disguised network":  {&identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, AllowedNetworks: []string{"::ffff:10.0.0.0/104"}}, "allowedNetworks[0]"},
	} {
		_, err := h.accessTokens(session).CreateAccessToken(t.Context(), row.request)
		require.Error(t, err, name)
		require.Equal(t, []string{row.field}, fieldsOf(t, err), name)
	}
	_, err := h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}, OrganizationId: id.New().String()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err), "of an organization that is not theirs")
	for range 50 {
		_, err := h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}})
		require.NoError(t, err)
	}
	_, err = h.accessTokens(session).CreateAccessToken(t.Context(), &identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}})
	require.Equal(t, "CREDENTIAL_LIMIT_REACHED", reasonOf(t, err))
	page, err := h.accessTokens(session).ListAccessTokens(t.Context(), &identityv1.ListAccessTokensRequest{PageSize: 20, OrderBy: "lastUseTime desc", Filter: `scopes:"workflow.*"`})
	require.NoError(t, err)
	require.Len(t, page.GetAccessTokens(), 20)
	require.NotEmpty(t, page.GetNextPageToken())

	bens, _ := h.member("ben@example.com", id.New(), "owner")
	_, err = h.accessTokens(bens).GetAccessToken(t.Context(), &identityv1.GetAccessTokenRequest{AccessTokenId: page.GetAccessTokens()[0].GetId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = h.accessTokens(bens).DeleteAccessToken(t.Context(), &identityv1.DeleteAccessTokenRequest{AccessTokenId: page.GetAccessTokens()[0].GetId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
}

func TestExpiredCredentialIsRefusedAndForgotten(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	h.clock.Advance(90*24*time.Hour - time.Second)
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	h.clock.Advance(time.Second)
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(r.key.GetSecret(), r.organization)))
	require.Equal(t, 1, h.count(`select count(*) from machine_credential`))
	h.clock.Advance(31 * 24 * time.Hour)
	require.NoError(t, app.NewCleanup(&app.App{DB: h.database.DB, Clock: h.clock}, prometheus.NewRegistry()).Once(t.Context()))
	require.Zero(t, h.count(`select count(*) from machine_credential`))
}

func TestLastUseIsNotedOnceAMinute(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	used := func() *identityv1.ApiKey {
		require.NoError(t, lateCredentials{h}.client().Record(t.Context(), h.authenticator.TakeUses()))
		page, err := h.apiKeys(r.admin).ListApiKeys(t.Context(), &identityv1.ListApiKeysRequest{OrganizationId: r.organization.String(), ServiceAccountId: r.id})
		require.NoError(t, err)
		return page.GetKeys()[0]
	}
	require.Nil(t, used().GetLastUseTime())
	first := h.clock.Now()
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	require.Equal(t, first, used().GetLastUseTime().AsTime())
	require.Equal(t, "127.0.0.1", used().GetLastUseAddress())
	h.clock.Advance(time.Minute - time.Microsecond)
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	require.Equal(t, first, used().GetLastUseTime().AsTime())
	h.clock.Advance(time.Microsecond)
	require.NoError(t, h.list(r.key.GetSecret(), r.organization))
	require.Equal(t, first.Add(time.Minute), used().GetLastUseTime().AsTime())
	late := []authn.Use{{CredentialID: id.MustParse(r.key.GetId()), At: first}}
	require.NoError(t, lateCredentials{h}.client().Record(t.Context(), late))
	require.Equal(t, first.Add(time.Minute), used().GetLastUseTime().AsTime(), "what comes late takes nothing back")
}

func TestUnknownAndMalformedCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	r := h.newRobot("admin", "identity.*")
	for _, secret := range []string{credential.New(credential.APIKey), credential.New(credential.AccessToken), r.key.GetSecret() + "x", "braid_key_", "braid_pat_" + strings.TrimPrefix(r.key.GetSecret(), "braid_key_")} {
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, h.list(secret, r.organization)))
	}
	answer, err := h.credentials.VerifyCredential(t.Context(), &identityv1.VerifyCredentialRequest{Hash: make([]byte, 32)})
	require.NoError(t, err)
	require.False(t, answer.GetGood())
	_, err = identityv1connect.NewCredentialServiceClient(h.as(r.admin), h.url).VerifyCredential(t.Context(), &identityv1.VerifyCredentialRequest{Hash: make([]byte, 32)})
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "only services ask")
}

func TestATokenOfOneOrganizationIsNoMatterOfAnother(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	organization := id.New()
	session, _ := h.member("ada@example.com", organization, "owner")
	for _, bound := range []id.ID{organization, {}} {
		request := &identityv1.CreateAccessTokenRequest{DisplayName: "x", Scopes: []string{"workflow.*"}}
		if !bound.IsZero() {
			request.OrganizationId = bound.String()
		}
		created, err := h.accessTokens(session).CreateAccessToken(t.Context(), request)
		require.NoError(t, err)
		rotated, err := h.accessTokens(session).RotateAccessToken(t.Context(), &identityv1.RotateAccessTokenRequest{AccessTokenId: created.GetId()})
		require.NoError(t, err)
		_, err = h.accessTokens(session).DeleteAccessToken(t.Context(), &identityv1.DeleteAccessTokenRequest{AccessTokenId: rotated.GetId()})
		require.NoError(t, err)
		told := h.count(`select count(*) from outbox where type like 'identity.access_token.%' and subject in ($1, $2)
			and organization_id is not distinct from nullif($3, '')::uuid`, "access_token/"+created.GetId(), "access_token/"+rotated.GetId(), request.GetOrganizationId())
		require.Equal(t, 4, told, "created, rotated, the old one's end, the successor's end")
	}
}
