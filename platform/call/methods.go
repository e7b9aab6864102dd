package call

import "slices"

// Methods are the ways in which a person has proved who they are, as a set. It is a number because every request
// copies it.
type Methods uint8

// The methods, by their names in RFC 8176.
const (
	// Password is "pwd".
	Password Methods = 1 << iota
	// OneTimeCode is "otp": a code of an authenticator app or a backup code.
	OneTimeCode
	// DeviceKey is "hwk": a passkey that can't leave its device.
	DeviceKey
	// SyncedKey is "swk": a passkey that its owner's devices share.
	SyncedKey
	// SeveralFactors is "mfa": more than one kind of factor.
	SeveralFactors
	// Provider is "sso": a login at a provider, the deployment's or an organization's own.
	Provider
	// Strong is no method but what follows from them: the person has shown a second factor, or has none.
	Strong
)

// StrongACR is the authentication context class of a Strong login: the value of the token's acr claim, and of acr_values
// where one is asked for (RFC 9470).
const StrongACR = "urn:braid:acr:strong"

var methodNames = map[string]Methods{
	"pwd": Password, "otp": OneTimeCode, "hwk": DeviceKey, "swk": SyncedKey, "mfa": SeveralFactors, "sso": Provider,
}

// MethodsOf reads the claims amr and acr. What it does not know counts for nothing.
func MethodsOf(names []string, acr string) Methods {
	var methods Methods
	for _, name := range names {
		methods |= methodNames[name]
	}
	if acr == StrongACR {
		methods |= Strong
	}
	return methods
}

// Names returns the methods as the claim amr has them, in order. What follows from them is not among them.
func (m Methods) Names() []string {
	names := make([]string, 0, len(methodNames))
	for name, method := range methodNames {
		if m.Has(method) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Has reports whether all of the wanted are among the methods.
func (m Methods) Has(wanted Methods) bool { return m&wanted == wanted }
