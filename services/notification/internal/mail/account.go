package mail

import (
	"net/url"
	"time"
)

// The mails about an account repeat nothing that whoever caused them typed, but for the address that an account is to
// have, which is told to the owner of the old one.

// NothingPending tells an address for which a code was asked again that nothing waits for one.
func (c *Composer) NothingPending() (Content, error) {
	return c.compose("nothing_pending", "No code for this address", struct{ URL string }{c.publicURL})
}

// PasswordReset is the mail with the link that sets another password.
func (c *Composer) PasswordReset(token string, expires time.Time) (Content, error) {
	return c.compose("password_reset", "Set another Braid password", struct{ Link, Expires string }{
		c.tokenLink("/reset-password", token), formatTime(expires),
	})
}

// NoAccount tells an address whose password was forgotten that it has no account.
func (c *Composer) NoAccount() (Content, error) {
	return c.compose("no_account", "There is no Braid account with this address", struct{ URL string }{c.publicURL})
}

// PasswordChanged tells the owner of an account that it has another password.
func (c *Composer) PasswordChanged() (Content, error) {
	return c.compose("password_changed", "Your Braid password was changed", struct{ URL string }{c.publicURL})
}

// EmailConfirmation is the mail with the link that proves the address an account is to have.
func (c *Composer) EmailConfirmation(token string, expires time.Time) (Content, error) {
	return c.compose("email_confirmation", "Confirm your new address for Braid", struct{ Link, Expires string }{
		c.tokenLink("/verify-email", token), formatTime(expires),
	})
}

// EmailChange tells the owner of an account that it is to have another address.
func (c *Composer) EmailChange(newEmail string) (Content, error) {
	return c.compose("email_change", "Your Braid account is to have another address", struct{ NewEmail, URL string }{
		line(newEmail), c.publicURL,
	})
}

// DataExport is the mail with the link to what there is of a person.
func (c *Composer) DataExport(token string, expires time.Time) (Content, error) {
	return c.compose("data_export", "Your data at Braid is ready", struct{ Link, Expires string }{
		c.tokenLink("/data-export", token), formatTime(expires),
	})
}

// DataExportFailed tells a person that nothing came of it, and why.
func (c *Composer) DataExportFailed(reason string) (Content, error) {
	return c.compose("data_export_failed", "Your data at Braid could not be collected", struct{ Reason, URL string }{
		line(reason), c.publicURL,
	})
}

func (c *Composer) tokenLink(path, token string) string {
	return c.publicURL + path + "?token=" + url.QueryEscape(token)
}
