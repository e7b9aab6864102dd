package mail

import (
	"net/url"
	"time"
)

// The mails about an account repeat nothing that whoever caused them typed, but for the address that an account is to
// have, which is told to the owner of the old one.

// NothingPending tells an address for which a code was asked again that nothing waits for one.
func (c *Composer) NothingPending() Content {
	return letter("No code for this address",
		say("Somebody, hopefully you, asked for another code for this address, but no account waits for one."),
		say("Register, or register again from where you did, at ", address(c.publicURL)),
		say("If it was not you, ignore this mail: nothing has changed."))
}

// PasswordReset is the mail with the link that sets another password.
func (c *Composer) PasswordReset(token string, expires time.Time) Content {
	return letter("Set another Braid password",
		say("Somebody, hopefully you, forgot the password of your Braid account."),
		follow("Set another one", c.tokenLink("/reset-password", token)),
		say("The link works once, until "+formatTime(expires)+". It ends every session of the account."),
		say("If it was not you, ignore this mail: nothing happens without the link."))
}

// NoAccount tells an address whose password was forgotten that it has no account.
func (c *Composer) NoAccount() Content {
	return letter("There is no Braid account with this address",
		say("Somebody, hopefully you, forgot the password of a Braid account with this address. There is none: perhaps it has another address."),
		say("Register at ", address(c.publicURL)),
		say("If it was not you, ignore this mail: nothing has changed."))
}

// PasswordChanged tells the owner of an account that it has another password.
func (c *Composer) PasswordChanged() Content {
	return letter("Your Braid password was changed",
		say("The password of your Braid account was changed, and its other sessions have ended. If it was reset by a mailed link, "+
			"its personal access tokens have ended as well."),
		say("If it was not you, somebody has your account: ask for a link to set another password, at ", address(c.publicURL)))
}

// EmailConfirmation is the mail with the link that proves the address an account is to have.
func (c *Composer) EmailConfirmation(token string, expires time.Time) Content {
	return letter("Confirm your new address for Braid",
		say("Somebody, hopefully you, wants this address for a Braid account."),
		follow("Confirm that it is yours", c.tokenLink("/verify-email", token)),
		say("The link works once, until "+formatTime(expires)+"."),
		say("If it was not you, ignore this mail: nothing happens without the link."))
}

// EmailChange tells the owner of an account that it is to have another address.
func (c *Composer) EmailChange(newEmail string) Content {
	return letter("Your Braid account is to have another address",
		say("Your Braid account is to have another address: ", bold(line(newEmail))),
		say("It changes when that address is confirmed; this one is then no longer good for signing in."),
		say("If it was not you, somebody has your account: change its password at ", address(c.publicURL)))
}

func (c *Composer) tokenLink(path, token string) string {
	return c.publicURL + path + "?token=" + url.QueryEscape(token)
}
