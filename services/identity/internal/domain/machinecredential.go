package domain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	// MaxMachineCredentials is how many one owner may have that have not expired.
	MaxMachineCredentials = 50
	// MachineCredentialKept is how long an expired one is still listed.
	MachineCredentialKept = 30 * 24 * time.Hour

	defaultLifetime = 90 * 24 * time.Hour
	maxLifetime     = 365 * 24 * time.Hour
	// minLifetime leaves the clocks of other processes room to differ.
	minLifetime = time.Minute

	anyOfService = ".*"
)

// MachineOwner is who a machine acts as: a person, or a service account of an organization.
type MachineOwner struct {
	UserID           id.ID
	OrganizationID   id.ID
	ServiceAccountID id.ID
}

// PublicKey is a JSON Web Key (RFC 7517, RFC 8037): Ed25519, or a point on P-256.
type PublicKey struct {
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y,omitempty"`
}

// MakingLogin is the login that a person's token was made or rotated in.
type MakingLogin struct {
	// Time is when the person had last proven who they are, nil where nobody knows, and Methods how.
	Time    *time.Time
	Methods []string
	// ConnectionID is the organization's connection that they had come by, BrokeGlass that an owner came past it.
	ConnectionID id.ID
	BrokeGlass   bool
}

// MachineCredential is a personal access token, or a key of a service account. It ends by being removed.
type MachineCredential struct {
	ID    id.ID
	Owner MachineOwner
	// OrganizationID is the one organization that it is good in; zero for all of a person's.
	OrganizationID id.ID
	// CreatorID is who made a key, or has rotated it: the key is good for what they hold, too. Zero for a person's token.
	CreatorID id.ID
	// MadeBy is zero for a key.
	MadeBy MakingLogin
	// SuccessorID is what has taken its place; zero for nothing.
	SuccessorID id.ID
	DisplayName string
	// PublicKey is that of a key that signs assertions; nil for one with a secret.
	PublicKey *PublicKey
	Scopes    []string
	Networks  []string
	CreatedAt time.Time
	ExpiresAt time.Time
	// Lifetime is how long it was made for.
	Lifetime time.Duration
	// LastUsedAt is nil for one that never was.
	LastUsedAt      *time.Time
	LastUsedAddress string
}

// MachineCredentialDraft is what somebody wants to have.
type MachineCredentialDraft struct {
	DisplayName string
	Scopes      []string
	Networks    []string
	// ExpiresAt is nil for the usual time.
	ExpiresAt *time.Time
	PublicKey *PublicKey
	// OrganizationID limits a person's token.
	OrganizationID id.ID
	// CreatorID is who makes a key.
	CreatorID id.ID
	// MadeBy is the login that a person makes a token in.
	MadeBy MakingLogin
}

// NewMachineCredential returns what the draft asks for. permissions are the names that a scope may be.
func NewMachineCredential(owner MachineOwner, draft MachineCredentialDraft, permissions map[string]bool, now time.Time) (MachineCredential, error) {
	displayName, err := ParseDisplayName(draft.DisplayName, "displayName")
	if err != nil {
		return MachineCredential{}, err
	}
	if err := checkScopes(draft.Scopes, permissions); err != nil {
		return MachineCredential{}, err
	}
	networks, err := parseNetworks(draft.Networks)
	if err != nil {
		return MachineCredential{}, err
	}
	lifetime := defaultLifetime
	if draft.ExpiresAt != nil {
		lifetime = draft.ExpiresAt.Sub(now)
	}
	switch {
	case lifetime < minLifetime:
		return MachineCredential{}, errs.Invalid("expireTime", "timestamp.gt", "must be at least a minute from now")
	case lifetime > maxLifetime:
		return MachineCredential{}, errs.Invalid("expireTime", "timestamp.lte", "must be at most 365 days from now")
	}
	limited := draft.OrganizationID
	if !owner.ServiceAccountID.IsZero() {
		limited = owner.OrganizationID
	}
	return MachineCredential{
		ID: id.New(), Owner: owner, OrganizationID: limited, DisplayName: displayName, PublicKey: draft.PublicKey,
		CreatorID: draft.CreatorID, MadeBy: draft.MadeBy, Scopes: draft.Scopes, Networks: networks, CreatedAt: now, ExpiresAt: now.Add(lifetime), Lifetime: lifetime,
	}, nil
}

// checkScopes takes names of permissions of the contract, and of services with ".*".
func checkScopes(scopes []string, permissions map[string]bool) error {
	for i, scope := range scopes {
		service, all := strings.CutSuffix(scope, anyOfService)
		if all && permissions[service] || !all && strings.Contains(scope, ".") && permissions[scope] {
			continue
		}
		return errs.Invalid(fmt.Sprintf("scopes[%d]", i), "scope.unknown", "is no permission, and no service with \".*\" behind it")
	}
	return nil
}

// PermissionsOf returns what a scope allows, in order; none for one that names nothing.
func PermissionsOf(scope string, permissions map[string]bool) []string {
	service, all := strings.CutSuffix(scope, anyOfService)
	if !all {
		if permissions[scope] && strings.Contains(scope, ".") {
			return []string{scope}
		}
		return nil
	}
	var allowed []string
	for permission := range permissions {
		if strings.HasPrefix(permission, service+".") {
			allowed = append(allowed, permission)
		}
	}
	slices.Sort(allowed)
	return allowed
}

// parseNetworks brings networks to their one spelling.
func parseNetworks(texts []string) ([]string, error) {
	networks := make([]string, 0, len(texts))
	for i, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, errs.Invalid(fmt.Sprintf("allowedNetworks[%d]", i), "network.cidr", "must be a network such as 203.0.113.0/24 or 2001:db8::/32")
		}
		// An IPv4 address in the clothes of IPv6 would never be met: addresses come without.
		if network.Addr().Is4In6() {
			return nil, errs.Invalid(fmt.Sprintf("allowedNetworks[%d]", i), "network.cidr", "must be written as an IPv4 network")
		}
		networks = append(networks, network.Masked().String())
	}
	return networks, nil
}

// Successor returns what takes the credential's place, and when the credential then ends: after the overlap, and never
// later than it would have. It is its maker's, and of their login; nothing else differs, so that nobody gets by rotation what
// they could not have made.
func (c MachineCredential) Successor(makerID id.ID, login MakingLogin, publicKey *PublicKey, overlap time.Duration, now time.Time) (successor MachineCredential, end time.Time, err error) {
	if !now.Before(c.ExpiresAt) {
		return MachineCredential{}, time.Time{}, ErrCredentialExpired
	}
	if (c.PublicKey == nil) != (publicKey == nil) {
		return MachineCredential{}, time.Time{}, errs.Invalid("publicKey", "rotation.proof", "is needed when the key has one, and refused when it has a secret")
	}
	successor = c
	successor.ID, successor.PublicKey, successor.CreatedAt, successor.ExpiresAt = id.New(), publicKey, now, now.Add(c.Lifetime)
	if !c.Owner.ServiceAccountID.IsZero() {
		successor.CreatorID = makerID
	} else {
		successor.MadeBy = login
	}
	successor.LastUsedAt, successor.LastUsedAddress, successor.SuccessorID = nil, "", id.ID{}
	end = now.Add(overlap)
	if end.After(c.ExpiresAt) {
		end = c.ExpiresAt
	}
	return successor, end, nil
}

// Narrow returns the scopes that a client asks for, or all when it names none; ErrInvalidScope when one is outside the
// credential's.
func (c MachineCredential) Narrow(wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return c.Scopes, nil
	}
	held := map[string]bool{}
	for _, scope := range c.Scopes {
		held[scope] = true
	}
	for _, scope := range wanted {
		service, _, _ := strings.Cut(scope, ".")
		if !held[scope] && !held[service+anyOfService] {
			return nil, ErrInvalidScope
		}
	}
	return wanted, nil
}
