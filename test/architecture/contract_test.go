package architecture_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/rpc"
)

// withoutStepUp are the RPCs that a machine can't call and that change something of identity's, or are marked as making or
// changing credentials, and that all the same ask for no recent login; with the reason. A stolen session may do these.
var withoutStepUp = map[string]string{
	"AccessTokenService/DeleteAccessToken":       "it ends a credential",
	"ApiKeyService/DeleteApiKey":                 "it ends a credential",
	"AuthService/Logout":                         "it ends a session",
	"AvatarService/DeleteAvatar":                 "a picture opens nothing",
	"AvatarService/SetAvatar":                    "a picture opens nothing",
	"DataExportService/DeleteDataExport":         "it ends an export",
	"FactorService/UpdateFactor":                 "a name opens nothing",
	"LoginService/StepUp":                        "it is the step itself",
	"MeService/DeleteSession":                    "it ends a session",
	"MeService/UpdateMe":                         "a profile opens nothing; the address is changed elsewhere",
	"PasswordService/ChangePassword":             "it takes the present password, and a new one does not stand in for a factor",
	"ServiceAccountService/DeleteServiceAccount": "it ends credentials",
	"ServiceAccountService/UpdateServiceAccount": "a name and a description open nothing",
	"SessionService/RevokeAllSessions":           "it ends sessions",
	"SessionService/RevokeOtherSessions":         "it ends sessions",
}

// makesCredentials reports whether an RPC is one of those that need a recent login, or a reason: people with a session
// only may call it, and it changes what is identity's or what the contract keeps from machines.
func makesCredentials(method *rpc.Method, options *descriptorpb.MethodOptions) bool {
	if method.ReadOnly || method.Rule != rpc.Authenticated && method.Rule != rpc.Organization {
		return false
	}
	refused := proto.GetExtension(options, optionsv1.E_Machines).(optionsv1.Machines) == optionsv1.Machines_MACHINES_REFUSED
	return refused || method.Service == "identity" && !method.Machines
}

func TestWhatMakesCredentialsNeedsARecentLogin(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	excused := map[string]bool{}
	var asking []string
	for _, method := range methods {
		options, _ := method.Descriptor.Options().(*descriptorpb.MethodOptions)
		name := string(method.Descriptor.Parent().Name()) + "/" + string(method.Descriptor.Name())
		switch {
		case method.StepUp.MaxAge > 0:
			asking = append(asking, name)
			require.Empty(t, withoutStepUp[name], "%s asks for a recent login, and is excused from it", name)
			require.False(t, method.Machines, "%s would take machines, which never have a recent login", name)
		case makesCredentials(method, options):
			require.NotEmpty(t, withoutStepUp[name], "%s makes or changes credentials: give it a step_up, or a reason here", name)
			excused[name] = true
		}
	}
	for name := range withoutStepUp {
		require.True(t, excused[name], "%s is no such RPC any more", name)
	}
	require.Subset(t, asking, []string{
		"EmailService/ChangeEmail", "AccessTokenService/CreateAccessToken", "AccessTokenService/RotateAccessToken",
		"ApiKeyService/CreateApiKey", "ApiKeyService/RotateApiKey", "ServiceAccountService/CreateServiceAccount",
		"FactorService/DeleteFactor", "ExternalIdentityService/DeleteIdentity", "PolicyService/UpdatePolicy",
		"SsoConnectionService/CreateSsoConnection", "SsoConnectionService/UpdateSsoConnection", "SsoConnectionService/DeleteSsoConnection",
		"OwnershipService/TransferOwnership", "OwnershipService/AcceptOwnership", "DeletionService/DeleteOrganization",
	})
}

func TestEveryPublicRPCSaysWhetherItCanBeGuessedWith(t *testing.T) {
	t.Parallel()
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	var public []string
	for _, method := range methods {
		options, _ := method.Descriptor.Options().(*descriptorpb.MethodOptions)
		says := proto.HasExtension(options, optionsv1.E_Guessable)
		require.Equal(t, method.Rule == rpc.Public, says, "%s: public RPCs say guessable, true or false, and no others", method.Procedure)
		if says {
			public = append(public, strings.TrimPrefix(method.Procedure, "/braid.identity.v1."))
		}
	}
	require.True(t, slices.Contains(public, "AuthService/Login"))
}
