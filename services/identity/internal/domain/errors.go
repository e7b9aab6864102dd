package domain

import "github.com/braidhq/braid/platform/errs"

// What identity refuses with. CREDENTIALS_INVALID, CODE_INVALID and REFRESH_TOKEN_INVALID say on purpose nothing of
// why: whoever asks could learn which addresses have accounts.
var (
	ErrCredentialsInvalid  = errs.New(errs.Unauthenticated, "CREDENTIALS_INVALID", "The e-mail address or the password is wrong.")
	ErrRefreshTokenInvalid = errs.New(errs.Unauthenticated, "REFRESH_TOKEN_INVALID", "The refresh token is not good: sign in again.")

	// What the second step of a login, a step-up and the keeping of factors are refused with.
	ErrFactorRequired   = errs.New(errs.Unauthenticated, "FACTOR_REQUIRED", "The password is right; show a second factor to go on.")
	ErrFactorCode       = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong, or was used before.")
	ErrChallengeExpired = errs.New(errs.Unauthenticated, "CHALLENGE_EXPIRED", "This login is no longer open: begin again.")
	ErrFactorLocked     = errs.New(errs.ResourceExhausted, "FACTOR_LOCKED", "There were too many wrong tries; come back later.")
	ErrFactorLimit      = errs.New(errs.FailedPrecondition, "FACTOR_LIMIT", "Remove a factor before you add another.")
	ErrFactorConfirmed  = errs.New(errs.FailedPrecondition, "FACTOR_CONFIRMED", "The factor counts already.")
	ErrLastFactor       = errs.New(errs.FailedPrecondition, "LAST_FACTOR", "This is your last way in; add another before you remove it.")
	ErrNoFactors        = errs.New(errs.FailedPrecondition, "FACTOR_MISSING", "The person has no second factor.")
	ErrFactorMissing    = errs.New(errs.FailedPrecondition, "FACTOR_MISSING", "Backup codes stand in for a factor; add one first.")
	ErrPasskeyInvalid   = errs.New(errs.InvalidArgument, "PASSKEY_INVALID", "The passkey was not accepted.")
	ErrAvatarInvalid    = errs.New(errs.InvalidArgument, "AVATAR_INVALID", "The picture can't be read: send a PNG, JPEG, GIF or WebP file.").
				WithViolation(errs.Violation{Field: "image", Rule: "image.readable", Message: "must be a PNG, JPEG, GIF or WebP file"})
	ErrAvatarTooLarge = errs.New(errs.InvalidArgument, "AVATAR_TOO_LARGE", "The picture is too large: at most 512 KiB, and 2048 by 2048 pixels.").
				WithViolation(errs.Violation{Field: "image", Rule: "image.size", Message: "must have at most 512 KiB, and 2048 by 2048 pixels"})
	ErrOverloaded        = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many people are doing this at this moment; try again shortly.")
	ErrPasswordTooShort  = errs.New(errs.InvalidArgument, "PASSWORD_TOO_SHORT", "The password must have at least 12 characters.")
	ErrPasswordTooLong   = errs.New(errs.InvalidArgument, "PASSWORD_TOO_LONG", "The password must have at most 256 characters.")
	ErrPasswordBreached  = errs.New(errs.InvalidArgument, "PASSWORD_BREACHED", "The password is known from a breach; whoever guesses tries it first. Choose another.")
	ErrPasswordPersonal  = errs.New(errs.InvalidArgument, "PASSWORD_PERSONAL", "The password is built from your name, address or organization. Choose another.")
	ErrAccountLocked     = errs.New(errs.ResourceExhausted, "ACCOUNT_LOCKED", "The password is right, but too many wrong ones came before it. Try again later, or from a device you have used before.")
	ErrTooManyAttempts   = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many wrong passwords and codes came from your network. Try again later.")
	ErrPasswordsUnread   = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many wrong passwords were sent for this account, and none is looked at any more. Try again later, or set another password by a mailed link.")
	ErrTooManyCodes      = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many wrong codes were sent for this address. Use the link of the mail, or try again later.")
	ErrEmailTaken        = errs.New(errs.AlreadyExists, "EMAIL_TAKEN", "The address belongs to another account by now.")
	ErrInvitationInvalid = errs.New(errs.FailedPrecondition, "INVITATION_INVALID", "The invitation is not good for this address, or no longer.")

	ErrOperatorExists    = errs.New(errs.AlreadyExists, "OPERATOR_EXISTS", "The person is an operator already; change their role instead.")
	ErrLastOperatorAdmin = errs.New(errs.FailedPrecondition, "LAST_OPERATOR_ADMIN", "This is the last admin; make another one first.")
	// What the deletion of an account is refused with, and what a login is answered with that it waits for.
	ErrDeletionPending     = errs.New(errs.PermissionDenied, "ACCOUNT_DELETION_PENDING", "The account waits for its deletion; call that off to use it again.")
	ErrSoleOwner           = errs.New(errs.FailedPrecondition, "SOLE_OWNER", "You are the only owner of organizations: hand them over or delete them first.")
	ErrCancellationInvalid = errs.New(errs.Unauthenticated, "CANCELLATION_TOKEN_INVALID", "The deletion can't be called off with this: sign in to begin again.")

	// What login by others is refused with.
	ErrProviderUnknown     = errs.New(errs.NotFound, "PROVIDER_UNKNOWN", "There is no such way to sign in.")
	ErrProviderUnavailable = errs.New(errs.Unavailable, "PROVIDER_UNAVAILABLE", "The provider does not answer; try again, or sign in another way.")
	ErrProviderRefused     = errs.New(errs.Unauthenticated, "PROVIDER_REFUSED", "The provider did not confirm the login: begin again.")
	ErrRedirectForbidden   = errs.New(errs.InvalidArgument, "REDIRECT_URI_FORBIDDEN", "The redirect URI is none of those in the configuration.")
	ErrLoginStateInvalid   = errs.New(errs.Unauthenticated, "LOGIN_STATE_INVALID", "This login is no longer open: begin again.")
	ErrEmailUnverified     = errs.New(errs.FailedPrecondition, "EMAIL_UNVERIFIED", "The provider does not vouch for your e-mail address: verify it there.")
	ErrLinkRequired        = errs.New(errs.FailedPrecondition, "LINK_REQUIRED", "An account has your address already: show its password, or sign in and link the provider.")
	ErrIdentityTaken       = errs.New(errs.AlreadyExists, "IDENTITY_TAKEN", "The two can't be linked: one of them is linked already.")
	ErrLastIdentity        = errs.New(errs.FailedPrecondition, "LAST_IDENTITY", "This is your last way in; add another before you remove it.")
	ErrSSORequired         = errs.New(errs.PermissionDenied, "SSO_REQUIRED", "Your organization has you sign in by its own provider.")
	ErrSSODomainMismatch   = errs.New(errs.PermissionDenied, "SSO_DOMAIN_MISMATCH", "Your address is in no verified domain of the organization.")
	ErrSSOConnectionLimit  = errs.New(errs.FailedPrecondition, "SSO_CONNECTION_LIMIT", "An organization has one connection; change the one there is.")
	ErrMemberNotCaptured   = errs.New(errs.FailedPrecondition, "MEMBER_NOT_CAPTURED", "The member's address is in no verified domain of the organization whose people sign in by it.")
	ErrSSOIssuerInvalid    = errs.New(errs.FailedPrecondition, "SSO_ISSUER_INVALID", "The issuer's discovery document can't be read, or names another issuer.")
)

// What operators are refused who would act in somebody's name.
var (
	ErrImpersonationSelf = errs.New(errs.InvalidArgument, "IMPERSONATION_SELF", "You can't act in your own name.").
				WithViolation(errs.Violation{Field: "userId", Rule: "user.other", Message: "must be somebody else"})
	ErrImpersonationLimit = errs.New(errs.FailedPrecondition, "IMPERSONATION_LIMIT", "You act in as many names as you may; end one first.")
)

// What codes, mailed tokens and a new password are refused with, each about its field.
var (
	ErrCodeInvalid = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong or no longer good. Ask for another code.").
			WithViolation(errs.Violation{Field: "code", Rule: "code.good", Message: "must be a mailed code of the last 15 minutes"})
	ErrLinkInvalid = errs.New(errs.InvalidArgument, "CODE_INVALID", "The link was used, or is no longer good. Ask for another link.").
			WithViolation(errs.Violation{Field: "token", Rule: "token.good", Message: "must be of a mailed link that is still good"})
	ErrCodeExpired = errs.New(errs.InvalidArgument, "CODE_EXPIRED", "The link has expired. Ask for another link.").
			WithViolation(errs.Violation{Field: "token", Rule: "token.fresh", Message: "must not have expired"})
	ErrPasswordUnchanged = errs.New(errs.InvalidArgument, "PASSWORD_UNCHANGED", "The password is the one you have. Choose another.").
				WithViolation(errs.Violation{Field: "newPassword", Rule: "password.unchanged", Message: "must not be the present password"})
)

// What is refused to and about machines. The five of OAuth 2 go out in its own words (RFC 6749 section 5.2).
var (
	ErrCredentialLimit      = errs.New(errs.FailedPrecondition, "CREDENTIAL_LIMIT_REACHED", "There can be no more than 50; delete one first.")
	ErrServiceAccountLimit  = errs.New(errs.FailedPrecondition, "SERVICE_ACCOUNT_LIMIT_REACHED", "There can be no more than 200 service accounts; delete one first.")
	ErrGrantExceedsOwn      = errs.New(errs.PermissionDenied, "GRANT_EXCEEDS_OWN", "You can't give a key what you don't hold yourself in the whole organization.")
	ErrCredentialExpired    = errs.New(errs.FailedPrecondition, "CREDENTIAL_EXPIRED", "It has expired and can't be rotated; make another.")
	ErrCredentialRotated    = errs.New(errs.Aborted, "CREDENTIAL_ROTATED", "It was rotated before; rotate what has taken its place.")
	ErrInvalidRequest       = errs.New(errs.InvalidArgument, "INVALID_REQUEST", "A parameter is missing or can't be read.")
	ErrInvalidClient        = errs.New(errs.Unauthenticated, "INVALID_CLIENT", "The client is unknown, or what it has shown is not good.")
	ErrUnsupportedGrantType = errs.New(errs.InvalidArgument, "UNSUPPORTED_GRANT_TYPE", "The only grant is client_credentials.")
	ErrInvalidScope         = errs.New(errs.InvalidArgument, "INVALID_SCOPE", "A scope is outside those of the key.")
)

// What an export of a person's data is refused with.
var (
	ErrDataExportRunning = errs.New(errs.FailedPrecondition, "DATA_EXPORT_RUNNING", "Your data is being collected already; wait for the mail.")
	ErrDataExportLimit   = errs.New(errs.ResourceExhausted, "DATA_EXPORT_LIMIT_REACHED", "There can be three exports a day; come back later.")
)
