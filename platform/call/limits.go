package call

import (
	"net/netip"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Limits are what the credential of a machine may do at most, whatever its owner may: a personal access token, an API
// key, or a token that was issued for one. They are made once for a credential and must not be changed.
type Limits struct {
	// OrganizationID is the one organization that the credential is good in; zero for all of the owner's.
	OrganizationID id.ID
	Scopes         Scopes
	// Networks are those that it is good from; none for all.
	Networks []netip.Prefix
	// MakerID is who made a service account's key: it is good for what they hold, too. Zero for a person's own token.
	MakerID id.ID
	// MadeBy is the login that a person's own token was made in, and MadeAt when: a token is never more than that was.
	MadeBy Login
	MadeAt time.Time
}

// Login is how a person has proven who they are.
type Login struct {
	// Time is when they last did, Methods how; zero where nobody knows.
	Time    time.Time
	Methods Methods
	// Passed is the organization's connection that they came by, BrokeGlass that an owner came past it.
	Passed     id.ID
	BrokeGlass bool
	// Pause is for how long the session was left alone at most since Time.
	Pause time.Duration
}

// Known is Time; nil where nobody knows.
func (l Login) Known() *time.Time {
	if l.Time.IsZero() {
		return nil
	}
	return &l.Time
}

// Login is the actor's own, of a session.
func (a *Actor) Login() Login {
	return Login{Time: a.AuthTime, Methods: a.Methods, Passed: a.Passed, BrokeGlass: a.BrokeGlass, Pause: a.Pause}
}

// Admits reports whether the credential is good from an address. From one that nobody knows it is not.
func (l *Limits) Admits(address netip.Addr) bool {
	if len(l.Networks) == 0 {
		return true
	}
	for _, network := range l.Networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// Scopes are the permissions that a credential may be used for: "workflow.task.read", or "workflow" for all of a
// service's.
type Scopes map[string]struct{}

// anything stands, in a scope, for all permissions of a service.
const anything = ".*"

// NewScopes reads scopes as people write them.
func NewScopes(texts []string) Scopes {
	scopes := make(Scopes, len(texts))
	for _, text := range texts {
		scopes[strings.TrimSuffix(text, anything)] = struct{}{}
	}
	return scopes
}

// Hold reports whether a permission is among the scopes.
func (s Scopes) Hold(permission string) bool {
	if _, held := s[permission]; held {
		return true
	}
	service, _, _ := strings.Cut(permission, ".")
	_, held := s[service]
	return held
}
