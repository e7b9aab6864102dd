package rpc_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// machine signs a machine in that acts as the bundle's member.
func (b *bundle) machine(token string, limits call.Limits) string {
	b.Tokens.Machine(token, call.Actor{Kind: call.User, UserID: b.user, CredentialID: id.New(), Limits: &limits})
	return token
}

func TestMachineIsHeldToItsLimits(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	task := b.path("/tasks/" + id.New().String())
	all := call.NewScopes([]string{"workflow.*", "identity.*"})
	reader := b.machine("reader", call.Limits{Scopes: call.NewScopes([]string{"workflow.task.read"})})
	require.Equal(t, 200, b.REST("GET", task, reader, nil).Status)
	refused := b.REST("POST", b.newTasks(), reader, `{"title":"x"}`)
	requireOne(t, refused, 403, "SCOPE_MISSING")
	require.Equal(t, map[string]any{"permission": "workflow.task.create"}, refused.Metadata())
	require.Equal(t, "SCOPE_MISSING", b.Refusals.All()[0].Reason, "the audit hears of it")

	elsewhere := b.machine("elsewhere", call.Limits{Scopes: all, OrganizationID: id.New()})
	requireOne(t, b.REST("GET", task, elsewhere, nil), 404, "NOT_FOUND")
	here := b.machine("here", call.Limits{Scopes: all, OrganizationID: b.organization})
	require.Equal(t, 200, b.REST("GET", task, here, nil).Status)
	abroad := b.machine("abroad", call.Limits{Scopes: all, Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}})
	requireOne(t, b.REST("GET", task, abroad, nil, rpctest.Header("X-Forwarded-For", "203.0.113.9")), 403, "ADDRESS_NOT_ALLOWED")
	home := b.machine("home", call.Limits{Scopes: all, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	require.Equal(t, 200, b.REST("GET", task, home, nil).Status)

	requireOne(t, b.REST("POST", "/api/v1/auth/logout", here, `{}`), 403, "CREDENTIAL_NOT_ALLOWED")
	b.Roles.Remove(b.organization, b.user)
	requireOne(t, b.REST("POST", b.newTasks(), reader, `{"title":"x"}`), 404, "NOT_FOUND")
}

// A new RPC takes machines only where scopes can name what it needs; and whatever makes credentials takes none.
func TestOnlyMarkedMethodsTakeMachinesOtherwise(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	var allowed, refused []string
	for procedure, method := range methods {
		switch {
		case method.Machines && method.Rule != rpc.Organization:
			allowed = append(allowed, procedure)
		case !method.Machines && method.Rule == rpc.Organization:
			refused = append(refused, procedure)
		}
	}
	require.ElementsMatch(t, []string{"/braid.identity.v1.MeService/GetMe"}, allowed)
	require.Subset(t, refused, []string{
		"/braid.identity.v1.ServiceAccountService/CreateServiceAccount", "/braid.identity.v1.ServiceAccountService/UpdateServiceAccount",
		"/braid.identity.v1.ServiceAccountService/DeleteServiceAccount", "/braid.identity.v1.ApiKeyService/CreateApiKey",
		"/braid.identity.v1.ApiKeyService/RotateApiKey", "/braid.identity.v1.ApiKeyService/DeleteApiKey",
	})
}
