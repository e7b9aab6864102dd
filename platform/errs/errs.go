// Package errs is the one vocabulary of failure: a kind (what the caller can do about it), a reason (a stable name
// from the contract's ErrorReason enums) and a message a person may read. Causes are kept for the log and never sent.
// It does no IO and imports only the standard library, so that domain code may use it.
package errs

import (
	"errors"
	"maps"
	"time"
)

// Kind says what went wrong in terms every protocol can express. The names are those of google.rpc.Code.
type Kind int

// The kinds. Unknown and Internal both reach the caller as INTERNAL without a cause.
const (
	Internal Kind = iota
	InvalidArgument
	Unauthenticated
	PermissionDenied
	NotFound
	AlreadyExists
	FailedPrecondition
	Aborted
	ResourceExhausted
	Unavailable
	DeadlineExceeded
	Canceled
	Unimplemented
)

// Violation is one thing wrong with one field of a request.
type Violation struct {
	// Field is the path in the caller's own spelling: "labels[2]", "preferences[0].kind".
	Field string
	// Rule names the broken rule: "string.max_len", "json.unknown_field".
	Rule string
	// Message is for people.
	Message string
}

// Error is a failure with a stable meaning. Values are immutable: the With… methods return copies, so that
// package-level errors can serve as templates and as targets of errors.Is.
type Error struct {
	Kind       Kind
	Reason     string
	Message    string
	Violations []Violation
	// Metadata goes out in ErrorInfo: small, public facts such as the current etag.
	Metadata map[string]string
	// RetryAfter tells the caller when another try makes sense; zero says nothing.
	RetryAfter time.Duration

	cause error
}

// New returns an error of a kind with a reason from the contract and a message for people.
func New(kind Kind, reason, message string) *Error {
	return &Error{Kind: kind, Reason: reason, Message: message}
}

// Invalid returns an InvalidArgument error about one field.
func Invalid(field, rule, message string) *Error {
	return New(InvalidArgument, "INVALID_ARGUMENT", "The request is not valid.").
		WithViolation(Violation{Field: field, Rule: rule, Message: message})
}

// ErrNotFound is the same, word for word, for what never was, what is gone and what is another organization's: nobody
// learns from an answer what others have.
var ErrNotFound = New(NotFound, "NOT_FOUND", "There is no such resource, or it is not visible to you.")

// ErrETagMismatch refuses a guarded change of something that has changed meanwhile; CheckETag adds the current etag.
var ErrETagMismatch = New(Aborted, "ETAG_MISMATCH", "The resource has changed since the etag was read.")

// CheckETag compares the etag a caller sent with the current one; an empty one guards nothing.
func CheckETag(sent, current string) error {
	if sent == "" || sent == current {
		return nil
	}
	return ErrETagMismatch.With("etag", current)
}

// Error implements error. It includes the cause, so it is for logs; callers see Message.
func (e *Error) Error() string {
	text := e.Reason + ": " + e.Message
	for _, violation := range e.Violations {
		text += " [" + violation.Field + ": " + violation.Message + "]"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is matches by kind and reason, so that copies with other details still equal their template.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Kind == e.Kind && other.Reason == e.Reason
}

// WithCause returns a copy that remembers what led to it.
func (e *Error) WithCause(cause error) *Error {
	copied := e.clone()
	copied.cause = cause
	return copied
}

// WithMessage returns a copy with another message for people.
func (e *Error) WithMessage(message string) *Error {
	copied := e.clone()
	copied.Message = message
	return copied
}

// With returns a copy with one more public fact.
func (e *Error) With(key, value string) *Error {
	copied := e.clone()
	if copied.Metadata == nil {
		copied.Metadata = map[string]string{}
	}
	copied.Metadata[key] = value
	return copied
}

// WithViolation returns a copy with more field violations.
func (e *Error) WithViolation(violations ...Violation) *Error {
	copied := e.clone()
	copied.Violations = append(copied.Violations, violations...)
	return copied
}

// WithRetryAfter returns a copy that tells the caller when to try again.
func (e *Error) WithRetryAfter(after time.Duration) *Error {
	copied := e.clone()
	copied.RetryAfter = after
	return copied
}

func (e *Error) clone() *Error {
	copied := *e
	copied.Metadata = maps.Clone(e.Metadata)
	copied.Violations = append([]Violation(nil), e.Violations...)
	return &copied
}

// From returns the Error in err's chain, or an Internal one that keeps err as its cause.
func From(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return New(Internal, "INTERNAL", "Something went wrong on our side.").WithCause(err)
}

// KindOf returns the kind of the Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var known *Error
	if errors.As(err, &known) {
		return known.Kind
	}
	return Internal
}
