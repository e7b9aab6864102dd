package domain

import (
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

const (
	// MaxFactors is how many factors a person may have.
	MaxFactors = 20
	// BackupCodes is how many codes there are on a paper.
	BackupCodes = 10
	// ConfirmationTime is how long a TOTP factor waits for its first code.
	ConfirmationTime = 15 * time.Minute
	// ProofWindow and ProofTries bound how often an account may be tried with wrong codes by those who have got past its
	// password or have a session of it.
	ProofWindow = 15 * time.Minute
	ProofTries  = 10
)

// FactorKind is a sort of second factor.
type FactorKind string

// The kinds. BackupCode is no factor of its own: it stands in for one.
const (
	TOTP       FactorKind = "totp"
	Passkey    FactorKind = "passkey"
	BackupCode FactorKind = "backup_code"
)

// Factor is one way to prove who one is besides the password.
type Factor struct {
	ID        id.ID
	UserID    id.ID
	Kind      FactorKind
	Name      string
	CreatedAt time.Time
	// ConfirmedAt is nil for one that counts for nothing yet.
	ConfirmedAt *time.Time
	LastUsedAt  *time.Time
	// SealedSecret and LastStep are those of TOTP; LastStep is the newest time step that was accepted, nil for none.
	SealedSecret []byte
	LastStep     *int64
	Key          PasskeyKey
	// CloneWarnedAt is when a passkey's sign counter went back.
	CloneWarnedAt *time.Time
}

// PasskeyKey is what verifies a passkey.
type PasskeyKey struct {
	CredentialID []byte
	// COSE is the key in the form of RFC 9052.
	COSE       []byte
	Transports []string
	// Flags are those of the authenticator data that it was last seen with.
	Flags     uint8
	SignCount uint32
}

// Confirmed reports whether the factor counts.
func (f Factor) Confirmed() bool { return f.ConfirmedAt != nil }

// NameFactor trims a name; an empty one becomes the usual of its kind.
func NameFactor(name string, kind FactorKind) string {
	switch name = strings.TrimSpace(name); {
	case name != "":
		return name
	case kind == Passkey:
		return "Passkey"
	default:
		return "Authenticator app"
	}
}

// Factors are all those of one person.
type Factors []Factor

// Confirmed returns those that count, of a kind, or of every kind for the empty one.
func (f Factors) Confirmed(kind FactorKind) Factors {
	var found Factors
	for _, factor := range f {
		if factor.Confirmed() && (kind == "" || factor.Kind == kind) {
			found = append(found, factor)
		}
	}
	return found
}

// Ways returns what can be shown as a second step, as the error FACTOR_REQUIRED lists it.
func (f Factors) Ways() string {
	var ways []string
	for _, kind := range []FactorKind{TOTP, Passkey} {
		if len(f.Confirmed(kind)) > 0 {
			ways = append(ways, string(kind))
		}
	}
	return strings.Join(append(ways, string(BackupCode)), ",")
}

// CheckRemoval refuses to remove the last way in: a passkey of somebody without a password and without another passkey.
func (f Factors) CheckRemoval(factor Factor, hasPassword bool) error {
	if factor.Kind == Passkey && !hasPassword && len(f.Confirmed(Passkey)) <= 1 {
		return ErrLastFactor
	}
	return nil
}

// CheckRoom refuses one more factor than a person may have.
func (f Factors) CheckRoom() error {
	if len(f.Confirmed("")) >= MaxFactors {
		return ErrFactorLimit
	}
	return nil
}
