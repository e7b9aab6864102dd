package pg

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/braidhq/braid/platform/errs"
)

// ErrNoRows is what Scan of a single row returns when there was none; it passes through Translate untouched.
var ErrNoRows = pgx.ErrNoRows

// ErrCommitUnknown is in the chain of an error after which nobody knows whether the transaction was committed: the
// connection was lost while COMMIT was on its way. Only an idempotent caller may try again.
var ErrCommitUnknown = errors.New("the outcome of the commit is unknown")

var (
	errUnavailable = errs.New(errs.Unavailable, "UNAVAILABLE", "The database cannot be reached at the moment.").
			WithRetryAfter(time.Second)
	errBusy = errs.New(errs.Unavailable, "UNAVAILABLE", "The database is busy.").WithRetryAfter(time.Second)
	errFull = errs.New(errs.Unavailable, "STORAGE_FULL", "Nothing can be stored at the moment: the disk of the database is full.").
		WithRetryAfter(30 * time.Second)
	errTimeout  = errs.New(errs.DeadlineExceeded, "DEADLINE_EXCEEDED", "The database took too long.")
	errCanceled = errs.New(errs.Canceled, "CANCELED", "The request was canceled.")
	errAborted  = errs.New(errs.Aborted, "ABORTED", "The change conflicted with another one; try again.")
	errExists   = errs.New(errs.AlreadyExists, "ALREADY_EXISTS", "It already exists.")
	errRefused  = errs.New(errs.FailedPrecondition, "FAILED_PRECONDITION", "The change does not fit the current state.")
	errInvalid  = errs.New(errs.InvalidArgument, "INVALID_ARGUMENT", "A value cannot be stored.")
)

// Translate turns a driver's error into one of platform/errs, keeping the driver's as the cause. A violated
// constraint's name is in Metadata["constraint"]. ErrNoRows, errors already translated and errors that are not the
// database's come back as they are.
func Translate(err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var known *errs.Error
	if errors.As(err, &known) {
		return err
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		if translated := translateServer(server); translated != nil {
			return translated.WithCause(err)
		}
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout.WithCause(err)
	case errors.Is(err, context.Canceled):
		return errCanceled.WithCause(err)
	case isConnectionTrouble(err):
		return errUnavailable.WithCause(err)
	}
	return err
}

// translateServer maps SQLSTATE codes (PostgreSQL manual, appendix A); nil means that the error is a fault of ours.
func translateServer(server *pgconn.PgError) *errs.Error {
	switch server.Code {
	case "23505":
		return errExists.With("constraint", server.ConstraintName)
	case "23503", "23001", "23P01":
		return errRefused.With("constraint", server.ConstraintName)
	case "23514":
		return errInvalid.With("constraint", server.ConstraintName)
	case "40001", "40P01":
		return errAborted
	case "55P03":
		return errBusy
	case diskFull:
		return errFull
	case "57014":
		// Both a statement timeout and a cancel request use this code; the message is in the server's language only
		// when lc_messages is set, and a timeout is by far the usual cause, so only the plain English of a cancel counts.
		if strings.Contains(server.Message, "user request") {
			return errCanceled
		}
		return errTimeout
	}
	switch {
	case strings.HasPrefix(server.Code, "22"):
		return errInvalid
	case strings.HasPrefix(server.Code, "08"), strings.HasPrefix(server.Code, "57P"), strings.HasPrefix(server.Code, "58"):
		return errUnavailable
	case strings.HasPrefix(server.Code, "53"), server.Code == "25P03", server.Code == "25P04":
		return errBusy
	}
	return nil
}

// isConnectionTrouble reports whether the connection, not the statement, failed. A busy connection is not trouble but
// a fault of the caller, who left rows open.
func isConnectionTrouble(err error) bool {
	if strings.Contains(err.Error(), "conn busy") {
		return false
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool) || errors.Is(err, errConnectionLost)
}

// errConnectionLost marks failures after which the connection is closed but the driver's error does not say so.
var errConnectionLost = errors.New("the connection was lost")

// IsUnavailable reports whether err means that the database could not be reached or had no room: nothing is wrong
// with the statement, and it may work later.
func IsUnavailable(err error) bool {
	return err != nil && errs.KindOf(Translate(err)) == errs.Unavailable
}

// ConstraintOf returns the name of the constraint that err says was violated, or "".
func ConstraintOf(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.ConstraintName
	}
	return ""
}

// isConflict reports a serialization failure or a deadlock: the transaction is gone and may be run again.
func isConflict(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40001" || server.Code == "40P01")
}
