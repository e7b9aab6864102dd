package rpc

import "github.com/braidhq/braid/platform/errs"

// What is refused before a handler is asked, by services and by the gateway alike. The reasons are enumerated in
// braid.platform.v1.
var (
	ErrTokenMissing     = errs.New(errs.Unauthenticated, "TOKEN_MISSING", "Sign in first: send an access token as Authorization: Bearer.")
	ErrPathUnknown      = errs.New(errs.NotFound, "PATH_UNKNOWN", "No method has this path.")
	ErrMethodNotAllowed = errs.New(errs.Unimplemented, "METHOD_NOT_ALLOWED", "The path takes another HTTP method.")
	ErrBodyTooLarge     = errs.New(errs.InvalidArgument, "BODY_TOO_LARGE", "The body is larger than 1 MiB.")
	// ErrNotHere answers a request for a service that runs elsewhere: the caller has a wrong address.
	ErrNotHere = errs.New(errs.Unavailable, "UNAVAILABLE", "The service does not run here.")

	errMediaType = errs.New(errs.InvalidArgument, "MEDIA_TYPE_UNSUPPORTED", "Send JSON as application/json.")
	errPacked    = errMediaType.WithMessage("Send the body as it is, without a Content-Encoding.")
	errBodyCut   = errs.New(errs.Canceled, "CANCELED", "The body did not arrive whole.")
)
