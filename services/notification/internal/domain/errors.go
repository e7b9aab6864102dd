package domain

import "github.com/braidhq/braid/platform/errs"

// Errors of the contract's ErrorReason.
var (
	ErrKindUnknown    = errs.New(errs.InvalidArgument, "KIND_UNKNOWN", "There is no such kind of notification.")
	ErrChannelUnknown = errs.New(errs.InvalidArgument, "CHANNEL_UNKNOWN", "There is no such channel.")
)
