package domain

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
)

// Policy is what an organization asks of everybody who acts in it. The zero value is not the one
// that asks for nothing: see NoPolicy.
type Policy struct {
	// SecondFactor asks for one, GraceDays after SecondFactorSince, or after somebody joined if that was later.
	SecondFactor      bool
	GraceDays         int32
	SecondFactorSince time.Time
	// SessionMaxAge is how many seconds a login is good for; 0 is as long as its session lives.
	SessionMaxAge int32
	// SessionMaxPause is for how many seconds a session may be left alone; 0 is as long as it lives.
	SessionMaxPause int32
	// Networks are those that may be acted from, and InvitationDomains those that may be invited; none is all.
	Networks          []string
	InvitationDomains []string
	// APIKeys says whether machines may act.
	APIKeys   bool
	UpdatedAt time.Time
	// Revision grows with every change; 0 is a policy that was never set.
	Revision int64
	// AccessRevision is the organization's that holds a change just made.
	AccessRevision int64
}

// NoPolicy asks for nothing.
func NoPolicy() Policy {
	return Policy{APIKeys: true, Networks: []string{}, InvitationDomains: []string{}}
}

// CleanNetworks returns networks as they are kept: each once, without bits beyond its length, in order. field is how the
// caller spells the field. IPv6's way to write an IPv4 network is refused, because no address is ever looked up by it.
func CleanNetworks(field string, networks []string) ([]string, error) {
	cleaned := make([]string, 0, len(networks))
	for i, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Addr().Is4In6() {
			return nil, errs.Invalid(field+"["+strconv.Itoa(i)+"]", "string.cidr", "must be an IPv4 or IPv6 network, such as 203.0.113.0/24")
		}
		cleaned = append(cleaned, network.Masked().String())
	}
	slices.Sort(cleaned)
	return slices.Compact(cleaned), nil
}

// CleanDomains returns domains as they are kept: each once, in lower case, in order.
func CleanDomains(domains []string) []string {
	cleaned := make([]string, 0, len(domains))
	for _, domain := range domains {
		cleaned = append(cleaned, strings.ToLower(domain))
	}
	slices.Sort(cleaned)
	return slices.Compact(cleaned)
}

// Follow returns the policy as it takes the place of another one: when it newly asks for a second factor, the days of
// grace begin, and when it goes on asking, they go on.
func (p Policy) Follow(previous Policy, now time.Time) Policy {
	switch {
	case !p.SecondFactor:
		p.SecondFactorSince = time.Time{}
	case !previous.SecondFactor:
		p.SecondFactorSince = now
	}
	p.Revision, p.UpdatedAt = previous.Revision+1, now
	return p
}

// AsksAs reports whether two policies ask for the same.
func (p Policy) AsksAs(other Policy) bool {
	return p.SecondFactor == other.SecondFactor && p.GraceDays == other.GraceDays && p.SessionMaxAge == other.SessionMaxAge &&
		p.SessionMaxPause == other.SessionMaxPause && p.APIKeys == other.APIKeys && slices.Equal(p.Networks, other.Networks) && slices.Equal(p.InvitationDomains, other.InvitationDomains)
}

// CheckInvited refuses an address whose domain may not be invited. field is how the caller spells the address; empty when
// the request doesn't hold it.
func (p Policy) CheckInvited(field, email string) error {
	_, domain, _ := strings.Cut(EmailKey(email), "@")
	if len(p.InvitationDomains) == 0 || slices.Contains(p.InvitationDomains, domain) {
		return nil
	}
	refusal := ErrInvitationDomain.With("domain", domain)
	if field == "" {
		return refusal
	}
	return refusal.WithViolation(errs.Violation{
		Field: field, Rule: "policy.invitation_domains", Message: "must be of one of the domains " + strings.Join(p.InvitationDomains, ", "),
	})
}
