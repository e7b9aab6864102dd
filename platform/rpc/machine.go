package rpc

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What a machine may do with its credential is decided here and nowhere else: which RPCs it is good for, from where, in
// which organization, with which scopes. What its owner may do is asked besides.

var (
	errCredentialNotAllowed = errs.New(errs.PermissionDenied, "CREDENTIAL_NOT_ALLOWED",
		"An access token or API key is no good for this: sign in.")
	errAddressNotAllowed = errs.New(errs.PermissionDenied, "ADDRESS_NOT_ALLOWED",
		"This access token or API key is not good from your address.")
	errScopeMissing = errs.New(errs.PermissionDenied, "SCOPE_MISSING",
		"The permission is outside the scopes of this access token or API key.")
)

// readMachines reads whether machines may call. A new RPC takes them only where scopes can name what it needs, and where
// it asks for no recent login, which a machine never has.
func (m *Method) readMachines(options *descriptorpb.MethodOptions) {
	if m.StepUp.MaxAge > 0 {
		return
	}
	switch proto.GetExtension(options, optionsv1.E_Machines).(optionsv1.Machines) {
	case optionsv1.Machines_MACHINES_ALLOWED:
		m.Machines = m.Rule == Authenticated || m.Rule == Organization
	case optionsv1.Machines_MACHINES_REFUSED:
		m.Machines = false
	default:
		m.Machines = m.Rule == Organization
	}
}

// admitMachine refuses a machine's credential for an RPC that takes none, and from an address that it is not good from.
// The address is the chain's: what a client says of itself counts for nothing.
func admitMachine(method *Method, work *call.Call) error {
	switch limits := work.Actor.Limits; {
	case limits == nil:
		return nil
	case !method.Machines:
		return errCredentialNotAllowed
	case !limits.Admits(work.ClientAddress):
		return errAddressNotAllowed
	default:
		return nil
	}
}

// outsideLimits says why a credential is no good for an RPC in an organization, nil when it is: another organization than
// its own is not found, like any that is not the caller's.
func outsideLimits(method *Method, limits *call.Limits, organizationID id.ID) error {
	switch {
	case limits == nil:
		return nil
	case !limits.OrganizationID.IsZero() && limits.OrganizationID != organizationID:
		return errs.ErrNotFound
	case !limits.Scopes.Hold(method.Permission):
		return errScopeMissing.With("permission", method.Permission)
	default:
		return nil
	}
}
