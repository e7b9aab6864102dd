package rpc

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/braidhq/braid/platform/errs"
)

const (
	connectTimeoutHeader = "Connect-Timeout-Ms"
	grpcTimeoutHeader    = "Grpc-Timeout"
	// maxTimeout is what a longer timeout counts as, so that none overflows.
	maxTimeout = 365 * 24 * time.Hour
)

// Deadline is how long a service may take for a request: what the caller allows, up to a bound, or the usual. A service
// holds itself to it, so who forwards the request may give up a little later.
func Deadline(header http.Header) time.Duration {
	if timeout, given, err := callerTimeout(header); err == nil && given {
		return min(timeout, maxDeadline)
	}
	return defaultDeadline
}

// takeDeadline moves the caller's deadline from the headers to the chain, the one place that ends what takes too long:
// Connect would end it with an error of its own.
func (in *inbound) takeDeadline(header http.Header) error {
	timeout, given, err := callerTimeout(header)
	if err != nil {
		return err
	}
	if given {
		in.deadline = time.Now().Add(timeout)
	}
	delete(header, connectTimeoutHeader)
	delete(header, grpcTimeoutHeader)
	return nil
}

// limitStream ends a stream at the deadline, if there is one.
func (in *inbound) limitStream(ctx context.Context) (context.Context, context.CancelFunc) {
	if in.deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, in.deadline)
}

// grpcUnits are the units of the Grpc-Timeout header.
var grpcUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// callerTimeout reads how long the caller waits, if it says so: up to ten digits of milliseconds, or up to eight digits
// and a unit.
func callerTimeout(header http.Header) (timeout time.Duration, given bool, err error) {
	if err := checkSingle(header, connectTimeoutHeader, grpcTimeoutHeader); err != nil {
		return 0, false, err
	}
	if text := header.Get(connectTimeoutHeader); text != "" {
		return readTimeout(connectTimeoutHeader, text, 10, time.Millisecond)
	}
	text := header.Get(grpcTimeoutHeader)
	if text == "" {
		return 0, false, nil
	}
	last := len(text) - 1
	return readTimeout(grpcTimeoutHeader, text[:last], 8, grpcUnits[text[last]])
}

func readTimeout(header, text string, most int, unit time.Duration) (timeout time.Duration, given bool, err error) {
	count, err := strconv.ParseUint(text, 10, 63)
	if err != nil || len(text) > most || unit == 0 {
		return 0, false, errs.Invalid(header, "timeout.malformed", "can't be read")
	}
	if count > uint64(maxTimeout/unit) {
		return maxTimeout, true, nil
	}
	return time.Duration(count) * unit, true, nil
}
