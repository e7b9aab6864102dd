package rpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/braidhq/braid/platform/errs"
)

// Domain is the ErrorInfo domain of every error that Braid answers with.
const Domain = "braid"

// Failure is an error as it leaves the chain: ready for every protocol. Connect finds its own error in it by
// errors.As, REST reads it in the error handler; so the handlers need no adapter each.
type Failure struct {
	Problem       *errs.Error
	CorrelationID string
}

// Error implements error; it includes the cause, so it is for logs.
func (f *Failure) Error() string { return f.Problem.Error() }

// Unwrap returns the error with its cause, for logs.
func (f *Failure) Unwrap() error { return f.Problem }

// As gives Connect its error.
func (f *Failure) As(target any) bool {
	connectError, ok := target.(**connect.Error)
	if !ok {
		return false
	}
	converted := connect.NewError(connectCodes[f.Problem.Kind], errors.New(f.Problem.Message))
	for _, message := range f.details() {
		if detail, err := connect.NewErrorDetail(message); err == nil {
			converted.AddDetail(detail)
		}
	}
	if seconds := f.retryAfterSeconds(); seconds > 0 {
		converted.Meta().Set("Retry-After", fmt.Sprint(seconds))
	}
	if challenge := f.challenge(); challenge != "" {
		converted.Meta().Set("WWW-Authenticate", challenge)
	}
	*connectError = converted
	return true
}

// details are the google.rpc details, the same over every protocol.
func (f *Failure) details() []proto.Message {
	metadata := f.Problem.Metadata
	details := []proto.Message{&errdetails.ErrorInfo{Reason: f.Problem.Reason, Domain: Domain, Metadata: metadata}}
	if len(f.Problem.Violations) > 0 {
		badRequest := &errdetails.BadRequest{}
		for _, violation := range f.Problem.Violations {
			badRequest.FieldViolations = append(badRequest.FieldViolations, &errdetails.BadRequest_FieldViolation{
				Field: violation.Field, Reason: violation.Rule, Description: violation.Message,
			})
		}
		details = append(details, badRequest)
	}
	if f.Problem.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.Problem.RetryAfter)})
	}
	return append(details, &errdetails.RequestInfo{RequestId: f.CorrelationID})
}

// retryAfterSeconds rounds up, because coming back too early is refused again.
func (f *Failure) retryAfterSeconds() int {
	return int((f.Problem.RetryAfter.Seconds()) + 0.999)
}

// failureOf turns any error into a Failure. What is not a known error becomes INTERNAL, its text kept for the log.
func failureOf(err error, correlationID string) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	var known *errs.Error
	var remote *connect.Error
	switch {
	case errors.As(err, &known):
	case errors.Is(err, context.DeadlineExceeded):
		known = errs.New(errs.DeadlineExceeded, "DEADLINE_EXCEEDED", "The request took longer than its deadline.").WithCause(err)
	case errors.Is(err, context.Canceled):
		known = errs.New(errs.Canceled, "CANCELED", "The caller went away.").WithCause(err)
	case errors.As(err, &remote) && remote.Code() == connect.CodeCanceled:
		known = errs.New(errs.Canceled, "CANCELED", "The caller went away.").WithCause(err)
	case errors.As(err, &remote) && slices.Contains(passingCodes, remote.Code()):
		known = errCantServe.WithCause(err)
	default:
		known = errs.From(err)
	}
	if known.RetryAfter == 0 && slices.Contains([]errs.Kind{errs.Unavailable, errs.ResourceExhausted, errs.DeadlineExceeded}, known.Kind) {
		known = known.WithRetryAfter(defaultRetryAfter)
	}
	return &Failure{Problem: known, CorrelationID: correlationID}
}

// passingCodes are the answers of other services that say nothing about the request itself: the caller may come back.
// Every other answer is for whoever called the service to understand; one that was not is a fault of ours.
var passingCodes = []connect.Code{connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted}

var connectCodes = map[errs.Kind]connect.Code{
	errs.Internal:           connect.CodeInternal,
	errs.InvalidArgument:    connect.CodeInvalidArgument,
	errs.Unauthenticated:    connect.CodeUnauthenticated,
	errs.PermissionDenied:   connect.CodePermissionDenied,
	errs.NotFound:           connect.CodeNotFound,
	errs.AlreadyExists:      connect.CodeAlreadyExists,
	errs.FailedPrecondition: connect.CodeFailedPrecondition,
	errs.Aborted:            connect.CodeAborted,
	errs.ResourceExhausted:  connect.CodeResourceExhausted,
	errs.Unavailable:        connect.CodeUnavailable,
	errs.DeadlineExceeded:   connect.CodeDeadlineExceeded,
	errs.Canceled:           connect.CodeCanceled,
	errs.Unimplemented:      connect.CodeUnimplemented,
}

type httpStatus struct {
	code int
	name string
}

// httpStatuses maps kinds to REST. Conflicts of every sort are 409; a passed deadline is 503, because the caller can
// only come back later.
var httpStatuses = map[errs.Kind]httpStatus{
	errs.Internal:           {http.StatusInternalServerError, "INTERNAL"},
	errs.InvalidArgument:    {http.StatusBadRequest, "INVALID_ARGUMENT"},
	errs.Unauthenticated:    {http.StatusUnauthorized, "UNAUTHENTICATED"},
	errs.PermissionDenied:   {http.StatusForbidden, "PERMISSION_DENIED"},
	errs.NotFound:           {http.StatusNotFound, "NOT_FOUND"},
	errs.AlreadyExists:      {http.StatusConflict, "ALREADY_EXISTS"},
	errs.FailedPrecondition: {http.StatusConflict, "FAILED_PRECONDITION"},
	errs.Aborted:            {http.StatusConflict, "ABORTED"},
	errs.ResourceExhausted:  {http.StatusTooManyRequests, "RESOURCE_EXHAUSTED"},
	errs.Unavailable:        {http.StatusServiceUnavailable, "UNAVAILABLE"},
	errs.DeadlineExceeded:   {http.StatusServiceUnavailable, "DEADLINE_EXCEEDED"},
	errs.Canceled:           {499, "CANCELLED"},
	errs.Unimplemented:      {http.StatusNotImplemented, "UNIMPLEMENTED"},
}

// reasonStatuses are the reasons for which HTTP has a code of its own.
var reasonStatuses = map[string]int{
	"BODY_TOO_LARGE":         http.StatusRequestEntityTooLarge,
	"MEDIA_TYPE_UNSUPPORTED": http.StatusUnsupportedMediaType,
	"METHOD_NOT_ALLOWED":     http.StatusMethodNotAllowed,
}

func (f *Failure) httpStatus() httpStatus {
	status := httpStatuses[f.Problem.Kind]
	if code, ok := reasonStatuses[f.Problem.Reason]; ok {
		status.code = code
	}
	return status
}
