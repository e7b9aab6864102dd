package domain

import "github.com/braidhq/braid/platform/errs"

// What identity refuses with. CREDENTIALS_INVALID, CODE_INVALID and REFRESH_TOKEN_INVALID say on purpose nothing of
// why: whoever asks could learn which addresses have accounts.
var (
	ErrCredentialsInvalid  = errs.New(errs.Unauthenticated, "CREDENTIALS_INVALID", "The e-mail address or the password is wrong.")
	ErrCodeInvalid         = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong or no longer good. Register again to get another.")
	ErrRefreshTokenInvalid = errs.New(errs.Unauthenticated, "REFRESH_TOKEN_INVALID", "The refresh token is not good: sign in again.")
	ErrOverloaded          = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many people are signing in at this moment; try again shortly.")

	// What the second step of a login, a step-up and the keeping of factors are refused with.
	ErrFactorRequired   = errs.New(errs.Unauthenticated, "FACTOR_REQUIRED", "The password is right; show a second factor to go on.")
	ErrFactorCode       = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong, or was used before.")
	ErrChallengeExpired = errs.New(errs.Unauthenticated, "CHALLENGE_EXPIRED", "This login is no longer open: begin again.")
	ErrFactorLocked     = errs.New(errs.ResourceExhausted, "FACTOR_LOCKED", "There were too many wrong tries; come back later.")
	ErrFactorLimit      = errs.New(errs.FailedPrecondition, "FACTOR_LIMIT", "Remove a factor before you add another.")
	ErrFactorConfirmed  = errs.New(errs.FailedPrecondition, "FACTOR_CONFIRMED", "The factor counts already.")
	ErrLastFactor       = errs.New(errs.FailedPrecondition, "LAST_FACTOR", "This is your last way in; add another before you remove it.")
	ErrFactorMissing    = errs.New(errs.FailedPrecondition, "FACTOR_MISSING", "Backup codes stand in for a factor; add one first.")
	ErrPasskeyInvalid   = errs.New(errs.InvalidArgument, "PASSKEY_INVALID", "The passkey was not accepted.")
)
