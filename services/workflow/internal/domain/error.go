package domain

import (
	"strconv"
	"strings"

	"github.com/braidhq/braid/platform/errs"
)

// The refusals of this service. Their reasons are enumerated in the contract.
var (
	// ErrNotFound is the same for what never was, what is gone and what belongs to another organization.
	ErrNotFound = errs.New(errs.NotFound, "NOT_FOUND", "There is no such resource, or it is not visible to you.")
	// ErrProjectArchived refuses every change in an archived project, and archiving it again.
	ErrProjectArchived = errs.New(errs.FailedPrecondition, "PROJECT_ARCHIVED", "The project is archived and read-only.")
	// ErrProjectKeyTaken refuses a second project with a key in an organization.
	ErrProjectKeyTaken = errs.New(errs.AlreadyExists, "PROJECT_KEY_TAKEN", "The organization has a project with this key.")
	// ErrTransitionNotAllowed carries the metadata "status" (the present one) and "allowed" (comma-separated).
	ErrTransitionNotAllowed = errs.New(errs.FailedPrecondition, "TRANSITION_NOT_ALLOWED", "The task can't move to this status.")
	// ErrAssigneeNotMember refuses an assignee from outside the organization.
	ErrAssigneeNotMember = errs.New(errs.InvalidArgument, "ASSIGNEE_NOT_MEMBER", "The assignee is not a member of the organization.")
	// ErrETagMismatch carries the metadata "etag": the current one.
	ErrETagMismatch = errs.New(errs.Aborted, "ETAG_MISMATCH", "The resource has changed since the etag was read.")
	// ErrNotAuthor refuses to change another person's comment; the metadata "permission" is set by NotAuthor.
	ErrNotAuthor = errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "Only the author may change a comment.")
)

// etagBase writes revisions compactly; clients must not read meaning into them.
const etagBase = 36

// ETag returns the etag of what last changed at a revision.
func ETag(revision int64) string { return strconv.FormatInt(revision, etagBase) }

// CheckETag compares the etag a caller sent, which may be empty, with what is there.
func CheckETag(sent string, revision int64) error {
	if current := ETag(revision); sent != "" && sent != current {
		return ErrETagMismatch.With("etag", current)
	}
	return nil
}

// cleanText trims what people typed around a text, and refuses one that has nothing in it.
func cleanText(field, text string) (string, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return "", errs.Invalid(field, "string.min_len", "must not be blank")
	}
	return trimmed, nil
}
