package mail

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// OwnershipOffer tells a member that they may become an owner. It holds no secret: they accept signed in.
func (c *Composer) OwnershipOffer(organizationID id.ID, organization, owner string, expires time.Time) (Content, error) {
	organization, owner = line(organization), line(owner)
	if owner == "" {
		owner = "Somebody"
	}
	return c.compose("ownership_offer", owner+" offers you to own "+organization, struct{ Organization, Owner, Link, Expires string }{
		organization, owner, c.publicURL + "/organizations/" + organizationID.String(), formatTime(expires),
	})
}

// DomainLost tells an owner that a domain no longer shows the record that proves it.
func (c *Composer) DomainLost(domain, organization, recordName, recordValue string) (Content, error) {
	domain, organization = line(domain), line(organization)
	return c.compose("domain_lost", domain+" is no longer verified for "+organization, struct {
		Domain, Organization, RecordName, RecordValue string
	}{domain, organization, line(recordName), line(recordValue)})
}
