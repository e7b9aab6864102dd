package access

import (
	"net/netip"
	"time"
)

// Kind tells subjects apart.
type Kind string

// The kinds of subjects. Operators are the internal users of a deployment.
const (
	User           Kind = "user"
	ServiceAccount Kind = "service_account"
	Operator       Kind = "operator"
)

// Subject is who asks, or who is asked about.
type Subject struct {
	ID   string
	Kind Kind
}

// Factor is how a subject has shown who it is.
type Factor string

// The factors, by what conditions call them.
const (
	Password Factor = "password"
	OTP      Factor = "otp"
	Passkey  Factor = "passkey"
	SSO      Factor = "sso"
)

// Login is how and when the subject has logged in. Without a factor nothing of it is known, and conditions over it
// don't hold.
type Login struct {
	Factor       Factor
	SecondFactor bool
	Time         time.Time
}

// Resource is what is to be acted on, as far as access depends on it. An empty attribute is missing. ProjectID is the
// project that the resource is in; a project is in itself.
type Resource struct{ Type, ID, ProjectID, OwnerID string }

// attribute returns a value that is empty where it is missing; so does one of no resource.
func (r *Resource) attribute(attribute Attribute) string {
	if r == nil {
		return ""
	}
	switch attribute {
	case ResourceType:
		return r.Type
	case ResourceID:
		return r.ID
	case ResourceProject:
		return r.ProjectID
	case ResourceOwner:
		return r.OwnerID
	default:
		return ""
	}
}

// Question is everything that a decision depends on besides what is stored.
type Question struct {
	Permission string
	// Resource is nil where none is named: to create a project, say. Then only what holds in the whole organization counts.
	Resource *Resource
	Now      time.Time
	// Address is the client's; the zero one is missing.
	Address netip.Addr
	Login   Login
}
