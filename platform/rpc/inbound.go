package rpc

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// Headers that travel beside the body. ForwardedByHeader carries the service token that lets a gateway speak for a
// client's address; without it X-Forwarded-For means nothing.
const (
	CorrelationHeader    = "X-Correlation-Id"
	RequestIDHeader      = "X-Request-Id"
	IdempotencyHeader    = "Idempotency-Key"
	ReplayedHeader       = "Idempotency-Replayed"
	AccessRevisionHeader = "X-Access-Revision"
	ForwardedForHeader   = "X-Forwarded-For"
	ForwardedByHeader    = "Braid-Forwarded-By"
	authorizationHeader  = "Authorization"
	contentTypeHeader    = "Content-Type"
	maxCorrelationLength = 128
	maxUserAgentLength   = 512
)

// inbound is what the HTTP request said outside its body. The chain reads it; nothing in it is trusted yet.
type inbound struct {
	correlationID  string
	token          string
	idempotencyKey string
	userAgent      string
	remoteAddress  netip.Addr
	forwardedFor   string
	forwardedBy    string
	accessRevision string
	// deadline is the caller's, zero for none.
	deadline time.Time
	// response is where the chain puts headers, whatever the protocol.
	response http.Header
}

type inboundKey struct{}

func inboundFrom(ctx context.Context) *inbound {
	if in, ok := ctx.Value(inboundKey{}).(*inbound); ok {
		return in
	}
	return &inbound{response: http.Header{}}
}

// receive reads the request's headers and answers with the correlation id. The error names a header that is there twice
// when nobody can tell which of the two is meant. Two Authorization headers too are a request that is malformed rather
// than a token that is not good (RFC 6750 section 3.1: invalid_request).
func receive(w http.ResponseWriter, r *http.Request) (*inbound, error) {
	in := &inbound{
		correlationID:  CorrelationOf(r),
		token:          BearerToken(r),
		idempotencyKey: first(r.Header[IdempotencyHeader]),
		userAgent:      readable(r.Header.Get("User-Agent")),
		forwardedFor:   r.Header.Get(ForwardedForHeader),
		forwardedBy:    r.Header.Get(ForwardedByHeader),
		accessRevision: first(r.Header[AccessRevisionHeader]),
		response:       w.Header(),
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		in.remoteAddress = peer.Addr().Unmap()
	}
	// The gateway in the same process has said so already.
	if first(in.response[CorrelationHeader]) != in.correlationID {
		in.response[CorrelationHeader] = []string{in.correlationID}
	}
	AnswerRequestID(in.response, r.Header)
	return in, checkSingle(r.Header, authorizationHeader, IdempotencyHeader, AccessRevisionHeader)
}

// AnswerRequestID repeats the caller's own name for the request, as AuthZEN wants it, unless it is foreign text.
func AnswerRequestID(answer, asked http.Header) {
	if named := asked[RequestIDHeader]; len(named) == 1 && ValidCorrelation(named[0]) {
		answer[RequestIDHeader] = named
	}
}

// leastAccessRevision reads the revision that the answer must not be older than; 0 for none.
func (in *inbound) leastAccessRevision() (int64, error) {
	if in.accessRevision == "" {
		return 0, nil
	}
	revision, err := strconv.ParseInt(in.accessRevision, 10, 64)
	if err != nil || revision < 1 {
		return 0, errs.Invalid(AccessRevisionHeader, "int64.gte", "must be an access revision as a write has answered it")
	}
	return revision, nil
}

// checkSingle refuses headers that are there twice. The names must be canonical.
func checkSingle(header http.Header, names ...string) error {
	for _, name := range names {
		if len(header[name]) > 1 {
			return errs.Invalid(name, "header.repeated", "may be given once")
		}
	}
	return nil
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// readable makes a header that is kept fit for any store: HTTP lets any byte through.
func readable(text string) string {
	if len(text) > maxUserAgentLength {
		text = text[:maxUserAgentLength]
	}
	if printable(text) {
		return text
	}
	return strings.Map(func(char rune) rune {
		if unicode.IsPrint(char) && char != utf8.RuneError {
			return char
		}
		return -1
	}, text)
}

// printable reports whether text is printable ASCII.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// BearerToken returns the token of the Authorization header, empty when there is none (RFC 6750 section 2.1).
func BearerToken(r *http.Request) string {
	scheme, token, ok := strings.Cut(first(r.Header[authorizationHeader]), " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// CorrelationOf returns the correlation id that the request names, or a new one where it names none that is valid.
func CorrelationOf(r *http.Request) string {
	if named := r.Header.Get(CorrelationHeader); ValidCorrelation(named) {
		return named
	}
	return id.New().String()
}

// ValidCorrelation keeps foreign text out of logs and headers: letters, digits and -_.: only.
func ValidCorrelation(text string) bool {
	if text == "" || len(text) > maxCorrelationLength {
		return false
	}
	for _, char := range []byte(text) {
		switch {
		case 'a' <= char && char <= 'z', 'A' <= char && char <= 'Z', '0' <= char && char <= '9':
		case char == '-', char == '_', char == '.', char == ':':
		default:
			return false
		}
	}
	return true
}
