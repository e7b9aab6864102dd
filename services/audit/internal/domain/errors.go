package domain

import "github.com/braidhq/braid/platform/errs"

// ErrNotFound is the refusal of this service; its reason stands in braid.platform.v1. What is missing and what another
// organization has are the same to whoever asks.
var ErrNotFound = errs.New(errs.NotFound, "NOT_FOUND", "There is no such resource, or it is not visible to you.")
