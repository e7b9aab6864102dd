package identity_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/identity/internal/consumer"
	"github.com/braidhq/braid/testkit/oidctest"
)

// apply takes an event of organization as the inbox does, under the worker role.
func (h *harness) apply(happened time.Time, message proto.Message) {
	h.t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(h.t, err)
	event := bus.Event{
		ID: id.New(), Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Time: happened, Data: data,
	}
	handlers := consumer.Organization()
	maps.Copy(handlers, consumer.Support())
	handler := handlers[event.Type]
	require.NotNil(h.t, handler)
	for range 2 { // Each is heard twice.
		require.NoError(h.t, h.database.DB.InWorkerTx(h.t.Context(), func(ctx context.Context, tx *pg.Tx) error {
			return handler(ctx, tx, []bus.Event{event})
		}))
	}
}

func (h *harness) connections(accessToken string) identityv1connect.SsoConnectionServiceClient {
	return identityv1connect.NewSsoConnectionServiceClient(h.as(accessToken), h.url)
}

// company is an organization whose provider and domain are set up.
type company struct {
	*harness
	provider   *oidctest.Provider
	id         id.ID
	domainID   id.ID
	connection *identityv1.SsoConnection
	// owner is olga@hq.example, whose address is in no domain of the company.
	owner      *identityv1.User
	ownerToken string
}

// newCompany has the domain corp.example, captured.
func newCompany(t *testing.T, required bool) *company {
	t.Helper()
	return foundCompany(t, required, func(*identity.Config) {})
}

// foundCompany is newCompany with another configuration.
func foundCompany(t *testing.T, required bool, change func(config *identity.Config)) *company {
	t.Helper()
	h, provider := federated(t, func(config *identity.Config) {
		config.Providers.Private = true
		change(config)
	})
	c := &company{harness: h, provider: provider, id: id.New(), domainID: id.New(), owner: h.signUp("olga@hq.example")}
	c.ownerToken = h.signIn("olga@hq.example").GetAccessToken()
	h.belongs.put(c.id, id.MustParse(c.owner.GetId()), "owner")
	h.apply(h.clock.Now(), &organizationv1.DomainVerified{OrganizationId: c.id.String(), DomainId: c.domainID.String(), Name: "corp.example", Capture: true})
	var err error
	c.connection, err = h.connections(c.ownerToken).CreateSsoConnection(t.Context(), &identityv1.CreateSsoConnectionRequest{
		OrganizationId: c.id.String(), DisplayName: "Corp", Issuer: provider.Issuer, ClientId: oidctest.ClientID,
		ClientSecret: oidctest.ClientSecret, Required: required,
	})
	require.NoError(t, err)
	return c
}

func (c *company) byConnection() *identityv1.BeginProviderLoginRequest {
	return byProvider(c.connection.GetId())
}

func (h *harness) discover(email string) *identityv1.DiscoverSsoResponse {
	h.t.Helper()
	found, err := h.providers().DiscoverSso(h.t.Context(), &identityv1.DiscoverSsoRequest{Email: email})
	require.NoError(h.t, err)
	return found
}

func TestACompanysPeopleSignInByItsConnectionAndAreToJoin(t *testing.T) {
	t.Parallel()
	c := newCompany(t, false)
	require.Equal(t, "member", c.connection.GetDefaultRoleId())
	found := c.discover("nobody@CORP.example")
	require.Equal(t, c.connection.GetId(), found.GetSsoConnectionId())
	require.True(t, proto.Equal(&identityv1.DiscoverSsoResponse{}, c.discover("olga@hq.example")))
	require.True(t, proto.Equal(&identityv1.DiscoverSsoResponse{}, c.discover("@")))

	before := len(c.events())
	login, err := c.signInBy(c.provider, c.byConnection(), "carl")
	require.NoError(t, err, "the domain is the company's: its provider is believed there")
	require.Equal(t, "carl@corp.example", login.GetUser().GetEmail())
	provisioned := ofType[*identityv1.SsoUserProvisioned](c.harness, before)
	require.Len(t, provisioned, 1)
	require.Equal(t, c.id.String(), provisioned[0].GetOrganizationId())
	require.Equal(t, login.GetUser().GetId(), provisioned[0].GetUserId())
	require.Equal(t, "member", provisioned[0].GetRoleId())
	before = len(c.events())
	_, err = c.signInBy(c.provider, c.byConnection(), "carl")
	require.NoError(t, err)
	require.Empty(t, ofType[*identityv1.SsoUserProvisioned](c.harness, before), "only the first time")

	_, err = c.signInBy(c.provider, c.byConnection(), "ada")
	requireReason(t, "SSO_DOMAIN_MISMATCH", err)
	_, err = c.signInBy(c.provider, byProvider("oidc"), "carl")
	requireReason(t, "EMAIL_UNVERIFIED", err)
	require.Zero(t, c.count(`select count(*) from sso_connection where position(convert_to($1, 'UTF8') in sealed_secret) > 0`, oidctest.ClientSecret))
	require.NotContains(t, c.logs.String(), oidctest.ClientSecret)
}

// ofType returns the events of a type that were told since.
func ofType[Message proto.Message](h *harness, since int) (found []Message) {
	for _, event := range h.events()[since:] {
		if message, ok := event.message.(Message); ok {
			found = append(found, message)
		}
	}
	return found
}

// A company can't take the accounts of people in its domain over: they show their password once.
func TestACompanysProviderDoesNotTakeAnAccount(t *testing.T) {
	t.Parallel()
	c := newCompany(t, true)
	carl := c.signUp("carl@corp.example")
	c.belongs.put(c.id, id.MustParse(carl.GetId()), "member")
	_, err := c.signInBy(c.provider, c.byConnection(), "carl")
	requireReason(t, "LINK_REQUIRED", err)
	linked, err := c.providers().LinkProviderLogin(t.Context(), &identityv1.LinkProviderLoginRequest{
		LinkToken: factsOf(t, err)["linkToken"], Password: goodPassword,
	})
	require.NoError(t, err, "the way in for who was there before the connection was required")
	require.Equal(t, carl.GetId(), linked.GetUser().GetId())
}

func TestARequiredConnectionIsTheOnlyWayInForMembers(t *testing.T) {
	t.Parallel()
	c := newCompany(t, true)
	carl, dora := c.signUp("carl@corp.example"), c.signUp("dora@corp.example")
	c.signUp("guest@corp.example")
	c.belongs.put(c.id, id.MustParse(carl.GetId()), "member")
	c.belongs.put(c.id, id.MustParse(dora.GetId()), "owner")
	_, err := c.login("carl@corp.example", "not the password")
	requireReason(t, "CREDENTIALS_INVALID", err)
	_, err = c.login("carl@corp.example", goodPassword)
	requireReason(t, "SSO_REQUIRED", err)
	require.Equal(t, c.connection.GetId(), factsOf(t, err)["ssoConnectionId"])
	c.signIn("guest@corp.example") // Is no member.
	c.signIn("olga@hq.example")    // Has an address elsewhere.

	breakGlass := func(email string) error {
		_, err := c.auth.Login(t.Context(), &identityv1.LoginRequest{Email: email, Password: goodPassword, BreakGlass: true})
		return err
	}
	requireReason(t, "SSO_REQUIRED", breakGlass("carl@corp.example"))
	_, err = c.login("dora@corp.example", goodPassword)
	requireReason(t, "SSO_REQUIRED", err)
	before := len(c.events())
	require.NoError(t, breakGlass("dora@corp.example"))
	bypassed := ofType[*identityv1.SsoBypassed](c.harness, before)
	require.Len(t, bypassed, 1)
	require.Equal(t, dora.GetId(), bypassed[0].GetUserId())

	c.apply(c.clock.Now(), &organizationv1.DomainUpdated{OrganizationId: c.id.String(), DomainId: c.domainID.String(), Name: "corp.example"})
	c.signIn("carl@corp.example")
}

// Who can't be asked about is not let in.
func TestARequiredConnectionFailsClosed(t *testing.T) {
	t.Parallel()
	c := newCompany(t, true)
	c.signUp("carl@corp.example")
	c.belongs.fail(errors.New("organization is away"))
	_, err := c.login("carl@corp.example", goodPassword)
	require.Error(t, err)
	require.Zero(t, c.count(`select count(*) from session where account_id = (select account_id from credential where email_key = 'carl@corp.example')`))
}

func TestADomainPassesFromOneOrganizationToAnother(t *testing.T) {
	t.Parallel()
	c := newCompany(t, false)
	other, domainID := id.New(), id.New()
	c.apply(c.clock.Now().Add(time.Minute), &organizationv1.DomainVerified{
		OrganizationId: other.String(), DomainId: domainID.String(), Name: "corp.example", Capture: true,
	})
	require.Empty(t, c.discover("carl@corp.example").GetSsoConnectionId(), "the last one who has proven it has it")
	_, err := c.signInBy(c.provider, c.byConnection(), "carl")
	requireReason(t, "SSO_DOMAIN_MISMATCH", err)
	c.apply(c.clock.Now(), &organizationv1.DomainDeleted{OrganizationId: other.String(), DomainId: domainID.String(), Name: "corp.example"})
	require.NotEmpty(t, c.discover("carl@corp.example").GetSsoConnectionId())
	c.apply(c.clock.Now(), &organizationv1.DomainLost{OrganizationId: c.id.String(), DomainId: c.domainID.String(), Name: "corp.example"})
	require.Empty(t, c.discover("carl@corp.example").GetSsoConnectionId())
	_, err = c.signInBy(c.provider, c.byConnection(), "carl")
	requireReason(t, "SSO_DOMAIN_MISMATCH", err)
}

func TestConnectionsAreKeptByAdminsAndTheirSecretIsNeverShown(t *testing.T) {
	t.Parallel()
	c := newCompany(t, false)
	client := c.connections(c.ownerToken)
	require.Empty(t, c.connection.GetClientSecret())
	_, err := client.CreateSsoConnection(t.Context(), &identityv1.CreateSsoConnectionRequest{
		OrganizationId: c.id.String(), DisplayName: "Second", Issuer: c.provider.Issuer, ClientId: "x", ClientSecret: "y",
	})
	requireReason(t, "SSO_CONNECTION_LIMIT", err)
	change := func(token string, connection *identityv1.SsoConnection, paths ...string) (*identityv1.SsoConnection, error) {
		return c.connections(token).UpdateSsoConnection(t.Context(), &identityv1.UpdateSsoConnectionRequest{
			OrganizationId: c.id.String(), SsoConnectionId: c.connection.GetId(), SsoConnection: connection,
			UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
	}
	changed, err := change(c.ownerToken, &identityv1.SsoConnection{Required: true, DefaultRoleId: "viewer"}, "required", "default_role_id")
	require.NoError(t, err)
	require.True(t, changed.GetRequired())
	require.Equal(t, "viewer", changed.GetDefaultRoleId())
	_, err = change(c.ownerToken, &identityv1.SsoConnection{DefaultRoleId: "owner"}, "default_role_id")
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "nobody becomes an owner by themselves")
	_, err = change(c.ownerToken, &identityv1.SsoConnection{Issuer: "http://127.0.0.1:1"}, "issuer")
	requireReason(t, "SSO_ISSUER_INVALID", err)
	require.Equal(t, []string{"ssoConnection.issuer"}, fieldsOf(t, err))
	another := oidctest.Start(t, callback, people)
	_, err = change(c.ownerToken, &identityv1.SsoConnection{Issuer: another.Issuer}, "issuer")
	require.Equal(t, []string{"ssoConnection.clientSecret"}, fieldsOf(t, err), "the secret is not sent to another provider")
	_, err = change(c.ownerToken, &identityv1.SsoConnection{DisplayName: "x", Etag: c.connection.GetEtag()}, "display_name")
	requireReason(t, "ETAG_MISMATCH", err)

	c.signUp("mallory@example.com")
	mallory := c.signIn("mallory@example.com")
	_, err = change(mallory.GetAccessToken(), &identityv1.SsoConnection{DisplayName: "x"}, "display_name")
	requireReason(t, "NOT_FOUND", err)
	stranger := id.New()
	c.belongs.put(stranger, id.MustParse(mallory.GetUser().GetId()), "owner")
	_, err = c.connections(mallory.GetAccessToken()).GetSsoConnection(t.Context(), &identityv1.GetSsoConnectionRequest{
		OrganizationId: stranger.String(), SsoConnectionId: c.connection.GetId(),
	})
	requireReason(t, "NOT_FOUND", err)

	before := len(c.events())
	_, err = client.DeleteSsoConnection(t.Context(), &identityv1.DeleteSsoConnectionRequest{OrganizationId: c.id.String(), SsoConnectionId: c.connection.GetId()})
	require.NoError(t, err)
	require.Equal(t, []string{"identity.sso_connection.deleted"}, c.typesSince(before))
	listed, err := client.ListSsoConnections(t.Context(), &identityv1.ListSsoConnectionsRequest{OrganizationId: c.id.String()})
	require.NoError(t, err)
	require.Empty(t, listed.GetSsoConnections())
	_, err = c.providers().BeginProviderLogin(t.Context(), c.byConnection())
	requireReason(t, "PROVIDER_UNKNOWN", err)
}

// Two providers at once: a login that one was asked for is not finished with the answer of the other, and the code goes
// to nobody but who gave it.
func TestTheAnswersOfTwoIssuersAreNotMixedUp(t *testing.T) {
	t.Parallel()
	c := newCompany(t, false)
	another := oidctest.Start(t, callback, people)
	_, err := c.connections(c.ownerToken).UpdateSsoConnection(t.Context(), &identityv1.UpdateSsoConnectionRequest{
		OrganizationId: c.id.String(), SsoConnectionId: c.connection.GetId(),
		SsoConnection: &identityv1.SsoConnection{Issuer: another.Issuer, ClientSecret: oidctest.ClientSecret},
		UpdateMask:    &fieldmaskpb.FieldMask{Paths: []string{"issuer", "client_secret"}},
	})
	require.NoError(t, err)
	honest, attacked := c.begin(byProvider("oidc")), c.begin(c.byConnection())
	fromHonest := c.provider.LogIn(honest.GetAuthorizationUrl(), "ada")
	parameters := another.LogIn(attacked.GetAuthorizationUrl(), "carl")
	parameters.Set("code", fromHonest.Get("code"))
	parameters.Set("iss", fromHonest.Get("iss"))
	_, err = c.finish(back(attacked, parameters))
	requireReason(t, "LOGIN_STATE_INVALID", err)
	_, err = c.finish(back(honest, fromHonest))
	require.NoError(t, err, "the honest provider's code was shown to nobody else")
}

// Through the issuer of a connection nobody looks at our own network.
func TestAConnectionLeadsToThePublicInternetOnly(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	owner := h.signUp("olga@hq.example")
	organization := id.New()
	h.belongs.put(organization, id.MustParse(owner.GetId()), "owner")
	client := h.connections(h.signIn("olga@hq.example").GetAccessToken())
	for _, issuer := range []string{
		"http://169.254.169.254/latest", "https://127.0.0.1:1", "https://[::1]:1", "https://localhost:1", "https://10.0.0.1",
		"https://user@example.com", "file:///etc/passwd", "https://[::ffff:10.0.0.1]", "https://100.64.0.1",
	} {
		_, err := client.CreateSsoConnection(t.Context(), &identityv1.CreateSsoConnectionRequest{
			OrganizationId: organization.String(), DisplayName: "Inside", Issuer: issuer, ClientId: "x", ClientSecret: "y",
		})
		requireReason(t, "SSO_ISSUER_INVALID", err)
	}
	require.Contains(t, h.logs.String(), "not on the public internet")
}
