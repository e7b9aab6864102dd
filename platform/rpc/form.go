package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/braidhq/braid/platform/errs"
)

// The endpoints of OAuth 2 take forms and answer errors in words of their own (RFC 6749 section 5.2), which nothing in
// the contract can say. So they stand beside it: the same router, chain, limits and metrics, another reader and writer.

const (
	formType    = "application/x-www-form-urlencoded"
	maxFormBody = 64 << 10
)

// forms are all of them.
var forms = []*Method{
	{Procedure: "/oauth2/token", Service: "identity", HTTPMethod: http.MethodPost, Path: "/oauth2/token", Rule: Public, Form: true, Guessable: true},
	{Procedure: "/oauth2/introspect", Service: "identity", HTTPMethod: http.MethodPost, Path: "/oauth2/introspect", Rule: Public, Form: true, Guessable: true},
	{Procedure: "/oauth2/revoke", Service: "identity", HTTPMethod: http.MethodPost, Path: "/oauth2/revoke", Rule: Public, Form: true, Guessable: true},
	{
		Procedure: "/.well-known/oauth-authorization-server", Service: "identity", HTTPMethod: http.MethodGet,
		Path: "/.well-known/oauth-authorization-server", Rule: Public, Form: true, ReadOnly: true,
	},
}

// Form is what came with a request for one of them. Nothing in it is trusted yet.
type Form struct {
	// Values are the parameters, each given once.
	Values map[string]string
	// ClientID and ClientSecret are those of client_secret_basic; Basic says that there were any.
	ClientID, ClientSecret string
	Basic                  bool
}

// HandleForm serves one of the forms behind the chain. The handler's answer is written as JSON, nil as an empty body.
func (s *Server) HandleForm(path string, handler func(context.Context, Form) (any, error)) error {
	at := slices.IndexFunc(forms, func(form *Method) bool { return form.Path == path })
	if at < 0 {
		return fmt.Errorf("mount %s: it is none of the forms", path)
	}
	method := forms[at]
	if err := s.router.add(method); err != nil {
		return fmt.Errorf("mount %s: %w", path, err)
	}
	s.rest[method.Procedure] = func(ctx context.Context, w http.ResponseWriter, r *restRequest) {
		form, err := r.readForm()
		if err != nil {
			writeFormError(w, failureOf(err, r.correlationID))
			return
		}
		var answer any
		err = s.chain.run(ctx, method, r.inbound, &emptypb.Empty{}, func(ctx context.Context) (err error) {
			answer, err = handler(ctx, form)
			return err
		})
		if err != nil {
			writeFormError(w, failureOf(err, r.correlationID))
			return
		}
		writeForm(w, http.StatusOK, answer)
	}
	return nil
}

// readFormBody reads the body whole; what it must be says RFC 6749 appendix B.
func readFormBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	body, err := readWhole(w, r)
	if errors.Is(err, ErrBodyTooLarge) {
		return nil, ErrBodyTooLarge.WithMessage("The body is larger than 64 KiB.")
	}
	if err != nil || len(body) == 0 {
		return body, err
	}
	if mediaType(r.Header.Get(contentTypeHeader)) != formType {
		return nil, errMediaType.WithMessage("Send a form as " + formType + ".")
	}
	return body, nil
}

// readForm reads the parameters. One that is there twice is refused (RFC 6749 section 3.2): two readers might take
// different ones. Parameters in the query are never read, because queries are logged.
func (r *restRequest) readForm() (Form, error) {
	values, err := url.ParseQuery(string(r.body))
	if err != nil {
		return Form{}, invalid(malformed)
	}
	form := Form{Values: make(map[string]string, len(values))}
	for name, given := range values {
		if len(given) > 1 {
			return Form{}, errs.Invalid(name, "form.repeated", "may be given once")
		}
		form.Values[name] = given[0]
	}
	if r.URL.RawQuery != "" {
		return Form{}, errs.Invalid("", "query.none", "the request takes no query")
	}
	clientID, secret, basic := r.BasicAuth()
	if form.Basic = basic; !basic {
		return form, nil
	}
	// Both are encoded once more (RFC 6749 section 2.3.1).
	if form.ClientID, err = url.QueryUnescape(clientID); err == nil {
		form.ClientSecret, err = url.QueryUnescape(secret)
	}
	if err != nil {
		return Form{}, invalid(malformed)
	}
	return form, nil
}

// unauthorizedClient is for who has proven who they are and may not have a token (RFC 6749 section 5.2).
const unauthorizedClient = "unauthorized_client"

// formReasons are the reasons that OAuth 2 has a word for.
var formReasons = []string{"INVALID_REQUEST", "INVALID_CLIENT", "UNSUPPORTED_GRANT_TYPE", "INVALID_SCOPE"}

// IsFormReason reports whether OAuth 2 has a word for a reason, so that no RPC refuses with it.
func IsFormReason(reason string) bool { return slices.Contains(formReasons, reason) }

// formCode is OAuth's word for a failure.
func formCode(problem *errs.Error) string {
	if IsFormReason(problem.Reason) {
		return strings.ToLower(problem.Reason)
	}
	switch problem.Kind {
	case errs.InvalidArgument:
		return "invalid_request"
	case errs.PermissionDenied:
		return unauthorizedClient
	case errs.Unavailable, errs.ResourceExhausted, errs.DeadlineExceeded:
		return "temporarily_unavailable"
	default:
		return "server_error"
	}
}

// writeFormError answers in the shape of RFC 6749 section 5.2.
func writeFormError(w http.ResponseWriter, failure *Failure) {
	problem := failure.Problem
	description := problem.Message
	for _, violation := range problem.Violations {
		if violation.Field != "" {
			description += " " + violation.Field + " " + violation.Message + "."
		}
	}
	header := w.Header()
	header.Set(CorrelationHeader, failure.CorrelationID)
	if seconds := failure.retryAfterSeconds(); seconds > 0 {
		header.Set("Retry-After", fmt.Sprint(seconds))
	}
	if problem.Kind == errs.Unauthenticated {
		header.Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q", Domain))
	}
	status, code := failure.httpStatus().code, formCode(problem)
	if code == unauthorizedClient {
		status = http.StatusBadRequest
	}
	writeForm(w, status, map[string]string{"error": code, "error_description": oauthText(description)})
}

// oauthText leaves only what error_description may hold.
func oauthText(text string) string {
	return strings.Map(func(char rune) rune {
		if char < ' ' || char > '~' || char == '"' || char == '\\' {
			return '\''
		}
		return char
	}, text)
}

func writeForm(w http.ResponseWriter, status int, answer any) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	header["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
