package domain

import "github.com/braidhq/braid/platform/errs"

// What identity refuses with. CREDENTIALS_INVALID, CODE_INVALID and REFRESH_TOKEN_INVALID say on purpose nothing of
// why: whoever asks could learn which addresses have accounts.
var (
	ErrCredentialsInvalid  = errs.New(errs.Unauthenticated, "CREDENTIALS_INVALID", "The e-mail address or the password is wrong.")
	ErrCodeInvalid         = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong or no longer good. Register again to get another.")
	ErrRefreshTokenInvalid = errs.New(errs.Unauthenticated, "REFRESH_TOKEN_INVALID", "The refresh token is not good: sign in again.")
	ErrPasswordTooShort    = errs.New(errs.InvalidArgument, "PASSWORD_TOO_SHORT", "The password must have at least 12 characters.")
	ErrPasswordTooLong     = errs.New(errs.InvalidArgument, "PASSWORD_TOO_LONG", "The password must have at most 256 characters.")
	ErrPasswordBreached    = errs.New(errs.InvalidArgument, "PASSWORD_BREACHED", "The password is known from a breach; whoever guesses tries it first. Choose another.")
	ErrPasswordPersonal    = errs.New(errs.InvalidArgument, "PASSWORD_PERSONAL", "The password is built from your name, address or organization. Choose another.")
	ErrCodeExpired         = errs.New(errs.InvalidArgument, "CODE_EXPIRED", "The link has expired. Ask for another.")
	ErrAccountLocked       = errs.New(errs.ResourceExhausted, "ACCOUNT_LOCKED", "The password is right, but too many wrong ones came before it. Try again later, or from a device you have used before.")
	ErrTooManyAttempts     = errs.New(errs.ResourceExhausted, "RATE_LIMITED", "Too many wrong passwords and codes came from your network. Try again later.")
	ErrEmailTaken          = errs.New(errs.AlreadyExists, "EMAIL_TAKEN", "The address belongs to another account by now.")
	ErrInvitationInvalid   = errs.New(errs.FailedPrecondition, "INVITATION_INVALID", "The invitation is not good for this address, or no longer.")
	ErrOverloaded          = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many people are signing in at this moment; try again shortly.")
)
