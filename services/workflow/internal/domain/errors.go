package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
)

// The refusals of this service. Their reasons are enumerated in the contract.
var (
	// ErrProjectArchived refuses every change in an archived project.
	ErrProjectArchived = errs.New(errs.FailedPrecondition, "PROJECT_ARCHIVED", "The project is archived and read-only.").
				With("archived", "true")
	// ErrProjectKeyTaken refuses a second project with a key in an organization.
	ErrProjectKeyTaken = errs.New(errs.AlreadyExists, "PROJECT_KEY_TAKEN", "The organization has a project with this key.")
	// ErrTransitionNotAllowed carries the metadata "status" (the present one) and "allowed" (comma-separated).
	ErrTransitionNotAllowed = errs.New(errs.FailedPrecondition, "TRANSITION_NOT_ALLOWED", "The task can't move to this status.")
	// ErrAssigneeNotMember refuses an assignee from outside the organization.
	ErrAssigneeNotMember = errs.New(errs.InvalidArgument, "ASSIGNEE_NOT_MEMBER", "The assignee is not a member of the organization.")
	// ErrAssigneeUnsettled refuses an assignee who is said to be a member and whose removal has been heard: either what
	// said so is about to hear of it too, or the return is still to be heard of. It is gone after a moment.
	ErrAssigneeUnsettled = errs.New(errs.Unavailable, "UNAVAILABLE", "The assignee's membership is changing; try again.").
				WithRetryAfter(time.Second)
	// ErrNotAuthor refuses to change another person's comment. No permission helps, so it names none; it is audited as a
	// refusal of the method's.
	ErrNotAuthor = errs.New(errs.PermissionDenied, "COMMENT_NOT_YOURS", "Only its author can change or delete a comment.")
)

// etagBase writes revisions compactly; clients must not read meaning into them.
const etagBase = 36

// ETag returns the etag of what last changed at a revision.
func ETag(revision int64) string { return strconv.FormatInt(revision, etagBase) }

// CheckETag compares the etag a caller sent, which may be empty, with what is there.
func CheckETag(sent string, revision int64) error { return errs.CheckETag(sent, ETag(revision)) }

// cleanText trims what people typed around a text, and refuses one that has nothing in it.
func cleanText(field, text string) (string, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return "", errs.Invalid(field, "string.min_len", "must not be blank")
	}
	return trimmed, nil
}
