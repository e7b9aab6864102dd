package domain

import (
	"slices"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// How domains are proven, and for how long.
const (
	MaxDomains = 100
	// recordPrefix stands before a domain in the name of its record, valuePrefix before the proof in the record.
	recordPrefix = "_braid-challenge."
	valuePrefix  = "braid-verification="
	checkEvery   = 24 * time.Hour
	// checkAgain is the pause after a look-up that told nothing.
	checkAgain = time.Hour
	maxMisses  = 3
)

// DomainState says whether a domain is proven.
type DomainState string

// The states.
const (
	DomainPending  DomainState = "pending"
	DomainVerified DomainState = "verified"
	DomainLost     DomainState = "lost"
)

// MailDomain is a domain that an organization says is its own.
type MailDomain struct {
	OrganizationID id.ID
	ID             id.ID
	Name           string
	Proof          string
	State          DomainState
	// AutoJoinRoleID is the role of people with an address of the domain who join by themselves, empty when they can't.
	AutoJoinRoleID string
	// Capture says that such people are to sign in by the organization's own way.
	Capture   bool
	Misses    int32
	CreatedAt time.Time
	// VerifiedAt is when the record was last seen, zero for never.
	VerifiedAt time.Time
	// CheckAt is when a verified domain is looked up next.
	CheckAt time.Time
	// Revision grows with every change that people see.
	Revision int64
}

// RecordName is the name of the TXT record that proves the domain.
func (d MailDomain) RecordName() string { return recordPrefix + d.Name }

// RecordValue is what the record must hold.
func (d MailDomain) RecordValue() string { return valuePrefix + d.Proof }

// ProvenBy reports whether one of the records that were found proves the domain.
func (d MailDomain) ProvenBy(records []string) bool {
	return slices.ContainsFunc(records, func(record string) bool { return strings.TrimSpace(record) == d.RecordValue() })
}

// Verify returns the domain as its record was just seen.
func (d MailDomain) Verify(now time.Time) MailDomain {
	if d.State != DomainVerified {
		d.State = DomainVerified
		d.Revision++
	}
	d.Misses, d.VerifiedAt, d.CheckAt = 0, now, now.Add(checkEvery)
	return d
}

// Miss returns a verified domain as its record was not there: after some days in a row it is lost.
func (d MailDomain) Miss(now time.Time) MailDomain {
	d.Misses++
	d.CheckAt = now.Add(checkEvery)
	if d.Misses >= maxMisses {
		d.State = DomainLost
		d.Revision++
	}
	return d
}

// Postpone returns the domain as nobody could tell whether its record is there: that says nothing about the domain.
func (d MailDomain) Postpone(now time.Time) MailDomain {
	d.CheckAt = now.Add(checkAgain)
	return d
}

// CheckUse refuses to use a domain that is not proven for anything.
func (d MailDomain) CheckUse() error {
	if d.State != DomainVerified && (d.AutoJoinRoleID != "" || d.Capture) {
		return ErrDomainNotVerified.With("recordName", d.RecordName()).With("recordValue", d.RecordValue())
	}
	return nil
}

// CheckAutoJoin refuses a role that nobody gets by an address alone: owners are made one by one.
func (d MailDomain) CheckAutoJoin(field string) error {
	if d.AutoJoinRoleID != Owner {
		return nil
	}
	return ErrRoleNotAssignable.WithViolation(errs.Violation{Field: field, Rule: "role.owner", Message: "must not be owner"})
}

// LetsIn reports whether a person may join by the domain.
func (d MailDomain) LetsIn(person Person) bool {
	return d.State == DomainVerified && d.AutoJoinRoleID != "" && DomainOf(person.Email) == d.Name
}

// CheckOwnable refuses domains where anybody gets an address. registrable is the part of the name that somebody can
// register, empty when the name is a public suffix itself.
func CheckOwnable(field, registrable string) error {
	if _, free := freeMail[registrable]; free || registrable == "" {
		return ErrDomainNotAllowed.WithViolation(errs.Violation{
			Field: field, Rule: "domain.not_allowed", Message: "is a public suffix, or a domain where anybody gets an address",
		})
	}
	return nil
}
