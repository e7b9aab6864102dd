package mail

import (
	"fmt"
	"time"

	"github.com/braidhq/braid/services/notification/internal/domain"
)

// securityTexts are subject and sentence of the mails about what gets into an account. They hold nothing that anybody
// typed.
var securityTexts = map[domain.Kind][2]string{
	domain.FactorAdded:            {"A second factor was added to your Braid account", "Another authenticator app or passkey gets into your Braid account from now on."},
	domain.FactorRemoved:          {"A second factor was removed from your Braid account", "An authenticator app or a passkey of your Braid account was removed."},
	domain.FactorSuspected:        {"A passkey of your Braid account may have been copied", "A passkey of your Braid account was used in a way that only a copy is. It was refused. Remove that passkey and make another."},
	domain.BackupCodesRegenerated: {"Your Braid account has new backup codes", "New backup codes were made for your Braid account; those from before are worth nothing."},
	domain.BackupCodeUsed:         {"A backup code of your Braid account was used", "A backup code of your Braid account was used in place of a second factor."},
	domain.ProviderLinked:         {"Your Braid account was linked to another way to sign in", "A provider such as Google, or that of your organization, gets into your Braid account from now on."},
	domain.ProviderUnlinked:       {"A way to sign in was removed from your Braid account", "A provider no longer gets into your Braid account."},
	domain.ProviderRefused:        {"Somebody tried to sign in to your Braid account by a provider", "A provider said that somebody has your address, and they were not let in, as it is not linked to your account. If it was you, sign in with your password and link it."},
	domain.Impersonated:           {"Support acts in your name on Braid", "Support acts in your name for half an hour at most, in an organization whose owner has let it in. It reaches nothing of your account, and the organization's audit names both of you in each record."},
	domain.FactorsReset:           {"The second factors of your Braid account were removed", "An owner of your organization removed all second factors and backup codes of your Braid account, and ended its sessions. Sign in and enroll others. If you did not ask for it, ask your organization's owners."},
	domain.SSOBypassed:            {"Your Braid account passed by your organization's sign-in", "Your password got into your Braid account although your organization requires its own provider. If it was not you, change the password."},
	domain.FactorsResetByOperator: {"The second factors of your Braid account were reset", "An operator of this installation has removed all second factors and backup codes of your Braid account, and ended its sessions, because somebody said they were lost. Sign in with your password and add a second factor again."},
	domain.OperatorRole:           {"Your role as an operator of Braid has changed", "What you may do as an operator of this installation of Braid was changed by one of its admins, or you are one from now on, or no longer."},
}

// SSOBroken tells an owner who got past the organization's own provider.
func (c *Composer) SSOBroken(organization, owner string) Content {
	organization, owner = line(organization), line(owner)
	return letter(owner+" signed in past the provider of "+organization,
		say(owner+" signed in by password although "+organization+
			" has its people sign in by its own provider. As an owner they may, in an emergency."),
		say("If you don't know of one, ask them. The audit log of "+organization+" says when and from where: ", address(c.publicURL)))
}

// ProviderLink is the mail with the link that proves an address to link.
func (c *Composer) ProviderLink(token string, expires time.Time) Content {
	return letter("Link another way to sign in to Braid",
		say("Somebody signed in at a provider with your address, and asked to link it to your Braid account."),
		follow("If it was you, open this link in the browser where you began", c.tokenLink("/link-provider", token)),
		say("It is good until "+formatTime(expires)+"."),
		say("If it was not you, do nothing: nobody gets in by it, and opened elsewhere the link does nothing."))
}

// Security tells the owner of an account that something that gets into it has changed or was used.
func (c *Composer) Security(kind domain.Kind) (Content, error) {
	texts, known := securityTexts[kind]
	if !known {
		return Content{}, fmt.Errorf("compose mail: a delivery of kind %q is not about what gets into an account", kind)
	}
	return letter(texts[0],
		say(texts[1]),
		say("If it was not you, somebody has your account: sign in at ", address(c.publicURL),
			", end its other sessions and change its password.")), nil
}
