package mail

import (
	"fmt"

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
	domain.SSOBypassed:            {"Your Braid account passed by your organization's sign-in", "Your password got into your Braid account although your organization requires its own provider. If it was not you, change the password."},
	domain.FactorsReset:           {"The second factors of your Braid account were reset", "An operator of this installation has removed all second factors and backup codes of your Braid account, and ended its sessions, because somebody said they were lost. Sign in with your password and add a second factor again."},
	domain.OperatorRole:           {"Your role as an operator of Braid has changed", "What you may do as an operator of this installation of Braid was changed by one of its admins, or you are one from now on, or no longer."},
}

// Security tells the owner of an account that something that gets into it has changed or was used.
func (c *Composer) Security(kind domain.Kind) (Content, error) {
	texts, known := securityTexts[kind]
	if !known {
		return Content{}, fmt.Errorf("compose mail: a delivery of kind %q is not about what gets into an account", kind)
	}
	return c.compose("security", texts[0], struct{ Sentence, URL string }{texts[1], c.publicURL})
}
