package mail

import (
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/notification/internal/domain"
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

// OwnerMail tells an owner what somebody has done to the organization, "" when nobody knows who.
func (c *Composer) OwnerMail(kind domain.Kind, organizationID id.ID, organization, actor string) (Content, error) {
	organization, actor = line(organization), line(actor)
	if actor == "" {
		actor = "Somebody"
	}
	there := c.publicURL + "/organizations/" + organizationID.String()
	ask := say("If you don't know why, ask them: the audit log of "+organization+" says when and from where. It is at ", address(there))
	switch kind {
	case domain.OrganizationDeletionRequested:
		return letter(organization+" is about to be deleted",
			say(bold(actor), " asked for ", bold(organization), " to be deleted, with all that is in it. Until that begins it can be read only."),
			say("Every owner can still call it off, at ", address(there)), ask), nil
	case domain.OrganizationDeletionCancelled:
		return letter(organization+" is not deleted",
			say(bold(actor), " called off that ", bold(organization), " is deleted. It can be used as before."), ask), nil
	case domain.PolicyChanged:
		return letter("The policy of "+organization+" has changed",
			say(bold(actor), " changed what ", bold(organization), " asks of everybody: second factors, sessions, the networks they come from, who may be invited, and API keys."), ask), nil
	default:
		return Content{}, fmt.Errorf("compose mail: a delivery of kind %q is not about an organization", kind)
	}
}
