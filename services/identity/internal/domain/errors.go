package domain

import "github.com/braidhq/braid/platform/errs"

// What identity refuses with. CREDENTIALS_INVALID, CODE_INVALID and REFRESH_TOKEN_INVALID say on purpose nothing of
// why: whoever asks could learn which addresses have accounts.
var (
	ErrCredentialsInvalid  = errs.New(errs.Unauthenticated, "CREDENTIALS_INVALID", "The e-mail address or the password is wrong.")
	ErrCodeInvalid         = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong or no longer good. Register again to get another.")
	ErrRefreshTokenInvalid = errs.New(errs.Unauthenticated, "REFRESH_TOKEN_INVALID", "The refresh token is not good: sign in again.")
	ErrOverloaded          = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many people are signing in at this moment; try again shortly.")
)

// What is refused to and about machines. The five of OAuth 2 go out in its own words (RFC 6749 section 5.2).
var (
	ErrCredentialLimit      = errs.New(errs.FailedPrecondition, "CREDENTIAL_LIMIT_REACHED", "There can be no more than 50; delete one first.")
	ErrServiceAccountLimit  = errs.New(errs.FailedPrecondition, "SERVICE_ACCOUNT_LIMIT_REACHED", "There can be no more than 200 service accounts; delete one first.")
	ErrCredentialExpired    = errs.New(errs.FailedPrecondition, "CREDENTIAL_EXPIRED", "It has expired and can't be rotated; make another.")
	ErrInvalidRequest       = errs.New(errs.InvalidArgument, "INVALID_REQUEST", "A parameter is missing or can't be read.")
	ErrInvalidClient        = errs.New(errs.Unauthenticated, "INVALID_CLIENT", "The client is unknown, or what it has shown is not good.")
	ErrUnsupportedGrantType = errs.New(errs.InvalidArgument, "UNSUPPORTED_GRANT_TYPE", "The only grant is client_credentials.")
	ErrInvalidScope         = errs.New(errs.InvalidArgument, "INVALID_SCOPE", "A scope is outside those of the key.")
)
