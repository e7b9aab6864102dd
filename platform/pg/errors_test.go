package pg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/pg"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	own := errs.New(errs.NotFound, "TASK_NOT_FOUND", "There is no such task.")
	for name, one := range map[string]struct {
		err  error
		want errs.Kind
	}{
		"unique":           {&pgconn.PgError{Code: "23505", ConstraintName: "c"}, errs.AlreadyExists},
		"foreign key":      {&pgconn.PgError{Code: "23503", ConstraintName: "c"}, errs.FailedPrecondition},
		"check":            {&pgconn.PgError{Code: "23514", ConstraintName: "c"}, errs.InvalidArgument},
		"not null":         {&pgconn.PgError{Code: "23502"}, errs.Internal},
		"NUL in a text":    {&pgconn.PgError{Code: "22021"}, errs.InvalidArgument},
		"serialization":    {&pgconn.PgError{Code: "40001"}, errs.Aborted},
		"deadlock":         {&pgconn.PgError{Code: "40P01"}, errs.Aborted},
		"disk full":        {&pgconn.PgError{Code: "53100"}, errs.Unavailable},
		"too many clients": {&pgconn.PgError{Code: "53300"}, errs.Unavailable},
		"shutdown":         {&pgconn.PgError{Code: "57P01"}, errs.Unavailable},
		"starting":         {&pgconn.PgError{Code: "57P03"}, errs.Unavailable},
		"I/O error":        {&pgconn.PgError{Code: "58030"}, errs.Unavailable},
		"timeout":          {&pgconn.PgError{Code: "57014", Message: "canceling statement due to statement timeout"}, errs.DeadlineExceeded},
		"cancel":           {&pgconn.PgError{Code: "57014", Message: "canceling statement due to user request"}, errs.Canceled},
		"policy":           {&pgconn.PgError{Code: "42501"}, errs.Internal},
		"syntax":           {&pgconn.PgError{Code: "42601"}, errs.Internal},
		"end of stream":    {io.ErrUnexpectedEOF, errs.Unavailable},
		"deadline":         {context.DeadlineExceeded, errs.DeadlineExceeded},
		"caller gone":      {context.Canceled, errs.Canceled},
		"our own":          {own, errs.NotFound},
		"unknown":          {errors.New("what"), errs.Internal},
	} {
		wrapped := fmt.Errorf("load task: %w", one.err)
		translated := pg.Translate(wrapped)
		require.Equal(t, one.want, errs.KindOf(translated), name)
		require.ErrorIs(t, translated, one.err, name)
		require.Equal(t, one.want == errs.Unavailable, pg.IsUnavailable(wrapped), name)
		require.Equal(t, translated, pg.Translate(translated), name)
	}
	full, busy := errs.From(pg.Translate(&pgconn.PgError{Code: "53100"})), errs.From(pg.Translate(&pgconn.PgError{Code: "53200"}))
	require.Equal(t, "STORAGE_FULL", full.Reason)
	require.Contains(t, platformv1.ErrorReason_value, full.Reason)
	require.Greater(t, full.RetryAfter, busy.RetryAfter)
	require.NoError(t, pg.Translate(nil))
	require.Equal(t, pg.ErrNoRows, pg.Translate(pg.ErrNoRows))
	require.False(t, pg.IsUnavailable(nil))
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := pg.Config{Service: "items", URL: "postgres://a:b@h/items"}
	require.NoError(t, good.Validate())
	for want, change := range map[string]func(*pg.Config){
		"service":              func(c *pg.Config) { c.Service = "" },
		"url: is required":     func(c *pg.Config) { c.URL = "" },
		"connection string":    func(c *pg.Config) { c.URL = "postgres://a:secret@:x/items" },
		"more than 56 bytes":   func(c *pg.Config) { c.URL = "postgres://h/" + fmt.Sprintf("%060d", 1) },
		"21 are more than":     func(c *pg.Config) { c.MaxConns = 14 },
		"point reads at most":  func(c *pg.Config) { c.ReadConns = 5 },
		"point timeout":        func(c *pg.Config) { c.PointTimeout = 1 },
		"point queue: must be": func(c *pg.Config) { c.PointQueue = -1 },
	} {
		changed := good
		change(&changed)
		err := changed.Validate()
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}
