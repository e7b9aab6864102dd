package errs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
)

// Errors are kept as package variables and shared: what one caller adds must not reach another.
func TestTemplatesNeverChange(t *testing.T) {
	t.Parallel()
	template := errs.Invalid("title", "string.max_len", "too long").With("limit", "5")
	before := *template
	first := template.With("etag", "1").WithViolation(errs.Violation{Field: "a"}).WithMessage("other").
		WithRetryAfter(time.Second).WithCause(errors.New("cause"))
	second := template.With("etag", "2").WithViolation(errs.Violation{Field: "b"})

	require.Equal(t, before.Message, template.Message)
	require.Equal(t, map[string]string{"limit": "5"}, template.Metadata)
	require.Len(t, template.Violations, 1)
	require.Zero(t, template.RetryAfter)
	require.NoError(t, template.Unwrap())

	require.Equal(t, map[string]string{"limit": "5", "etag": "1"}, first.Metadata)
	require.Equal(t, "a", first.Violations[1].Field)
	require.Equal(t, map[string]string{"limit": "5", "etag": "2"}, second.Metadata)
	require.Equal(t, "b", second.Violations[1].Field)

	// Also when the template has room for more behind its violations.
	roomy := template.WithViolation(errs.Violation{Field: "x"}).WithViolation(errs.Violation{Field: "y"})
	third, fourth := roomy.WithViolation(errs.Violation{Field: "c"}), roomy.WithViolation(errs.Violation{Field: "d"})
	require.Equal(t, "c", third.Violations[3].Field)
	require.Equal(t, "d", fourth.Violations[3].Field)
}

func TestErrorsAreComparedByKindAndReason(t *testing.T) {
	t.Parallel()
	archived := errs.New(errs.FailedPrecondition, "PROJECT_ARCHIVED", "The project is archived.")
	wrapped := fmt.Errorf("create task: %w", archived.With("project", "WEB"))
	require.ErrorIs(t, wrapped, archived)
	require.NotErrorIs(t, wrapped, errs.New(errs.FailedPrecondition, "LAST_OWNER", ""))
	require.NotErrorIs(t, wrapped, errs.New(errs.Aborted, "PROJECT_ARCHIVED", ""))
	require.Equal(t, errs.FailedPrecondition, errs.KindOf(wrapped))
	require.Equal(t, "WEB", errs.From(wrapped).Metadata["project"])
}

func TestCauseIsForTheLogOnly(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	problem := errs.New(errs.Unavailable, "UNAVAILABLE", "Later.").WithCause(cause)
	require.ErrorIs(t, problem, cause)
	require.Equal(t, "Later.", problem.Message)
	require.Equal(t, "UNAVAILABLE: Later.: connection refused", problem.Error())
	require.Equal(t, "INVALID_ARGUMENT: The request is not valid. [title: too long]", errs.Invalid("title", "r", "too long").Error())
}

func TestUnknownErrorsAreInternal(t *testing.T) {
	t.Parallel()
	unknown := errors.New("password=hunter2")
	require.Equal(t, errs.Internal, errs.KindOf(unknown))
	problem := errs.From(unknown)
	require.Equal(t, "INTERNAL", problem.Reason)
	require.NotContains(t, problem.Message, "hunter2")
	require.ErrorIs(t, problem, unknown)
}

func TestEtagGuards(t *testing.T) {
	t.Parallel()
	require.NoError(t, errs.CheckETag("", "7"), "nothing was to be guarded")
	require.NoError(t, errs.CheckETag("7", "7"))
	err := errs.CheckETag("6", "7")
	require.ErrorIs(t, err, errs.ErrETagMismatch)
	require.Equal(t, "7", errs.From(err).Metadata["etag"])
}
