package mail

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// OwnershipOffer tells a member that they may become an owner. It holds no secret: they accept signed in.
func (c *Composer) OwnershipOffer(organizationID id.ID, organization, owner string, expires time.Time) Content {
	organization, owner = line(organization), line(owner)
	if owner == "" {
		owner = "Somebody"
	}
	return letter(owner+" offers you to own "+organization,
		say(bold(owner), " offers you their place as an owner of ", bold(organization), " on Braid."),
		follow("Accept it, signed in", c.publicURL+"/organizations/"+organizationID.String()),
		say("You have until "+formatTime(expires)+". If you accept, you are an owner, and "+owner+" is an admin."),
		say("If you don't want that, ignore this mail: nothing changes."))
}

// DomainLost tells an owner that a domain no longer shows the record that proves it.
func (c *Composer) DomainLost(domain, organization, recordName, recordValue string) Content {
	domain, organization = line(domain), line(organization)
	return letter(domain+" is no longer verified for "+organization,
		say(bold(domain), " has not shown the record that proves it to be "+organization+
			"'s for three days. Until it does, nobody joins or signs in by it."),
		say("Publish this TXT record again, then verify the domain:"),
		say("name: ", verbatim(line(recordName)), next(), "value: ", verbatim(line(recordValue))))
}
