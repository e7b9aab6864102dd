package domain

import "github.com/braidhq/braid/platform/errs"

// What identity refuses with. CREDENTIALS_INVALID, CODE_INVALID and REFRESH_TOKEN_INVALID say on purpose nothing of
// why: whoever asks could learn which addresses have accounts.
var (
	ErrCredentialsInvalid  = errs.New(errs.Unauthenticated, "CREDENTIALS_INVALID", "The e-mail address or the password is wrong.")
	ErrCodeInvalid         = errs.New(errs.InvalidArgument, "CODE_INVALID", "The code is wrong or no longer good. Register again to get another.")
	ErrRefreshTokenInvalid = errs.New(errs.Unauthenticated, "REFRESH_TOKEN_INVALID", "The refresh token is not good: sign in again.")
	ErrAvatarInvalid       = errs.New(errs.InvalidArgument, "AVATAR_INVALID", "The picture can't be read: send a PNG, JPEG, GIF or WebP file.").
				WithViolation(errs.Violation{Field: "image", Rule: "image.readable", Message: "must be a PNG, JPEG, GIF or WebP file"})
	ErrAvatarTooLarge = errs.New(errs.InvalidArgument, "AVATAR_TOO_LARGE", "The picture is too large: at most 512 KiB, and 2048 by 2048 pixels.").
				WithViolation(errs.Violation{Field: "image", Rule: "image.size", Message: "must have at most 512 KiB, and 2048 by 2048 pixels"})
	ErrOverloaded = errs.New(errs.ResourceExhausted, "OVERLOADED", "Too many people are doing this at this moment; try again shortly.")
)
