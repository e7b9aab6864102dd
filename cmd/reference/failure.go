package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/rpc"
)

// exampleFacts are the public facts that come with a reason.
var exampleFacts = map[string][2]string{
	"PERMISSION_DENIED":      {"permission", "workflow.task.create"},
	"SCOPE_MISSING":          {"permission", "workflow.task.create"},
	"ETAG_MISMATCH":          {"etag", "1d"},
	"INVITATION_NOT_PENDING": {"state", "REVOKED"}, "INVITATION_LINK_NOT_ACTIVE": {"state", "USED_UP"},
	"LIMIT_REACHED":     {"limit", "1000"},
	"GRANT_EXCEEDS_OWN": {"roleId", "owner"},
	"ROLE_IN_USE":       {"memberCount", "3"},
	"PERMISSION_IN_USE": {"roleIds", exampleRole},
	"ROLE_LIMIT":        {"limit", "200"},
	"PERMISSION_LIMIT":  {"limit", "500"},
	"ASSIGNMENT_LIMIT":  {"limit", "1000"},
	"CONDITION_INVALID": {"position", "7"},
	"NOT_DELEGABLE":     {"because", "it ends before"},
	"POLICY_LOCKS_OUT":  {"policy", "address"},
}

// exampleLogins are the facts that say how a login goes on.
var exampleLogins = map[string]map[string]string{
	"FACTOR_REQUIRED":          {"challengeToken": "Y2hhbGxlbmdlLWV4YW1wbGU", "factors": "totp,passkey,backup_code"},
	"ACCOUNT_DELETION_PENDING": {"deletionTime": "2026-11-29T12:00:00Z", "cancellationToken": "Y2FuY2VsbGF0aW9uLWV4YW1wbGU"},
	"LINK_REQUIRED":            {"linkToken": "bGluay1leGFtcGxl"},
	"SSO_REQUIRED":             {"ssoConnectionId": "0198f5a7-3f24-7c66-ad35-e4f50617281f"},
	"STEP_UP_REQUIRED":         {"maxAge": "600", "acr": call.StrongACR},
	"POLICY_FORBIDS":           {"policy": "secondFactor", "action": "stepUp", "acr": call.StrongACR},
}

// exampleViolations are the fields that come with a reason.
var exampleViolations = map[string]errs.Violation{
	"INVALID_ARGUMENT": {Field: "title", Rule: "string.max_len", Message: "must be at most 200 characters"},
	"NAME_MISMATCH":    {Field: "confirmName", Rule: "name", Message: "must be the organization's display name"},
}

// exampleRetries are the times after which to come back, where that is not a second.
var exampleRetries = map[string]time.Duration{"RATE_LIMITED": 12 * time.Second, "STORAGE_FULL": 30 * time.Second, "FACTOR_LOCKED": 15 * time.Minute}

// kinds are the statuses of google.rpc by name.
var kinds = map[string]errs.Kind{
	"INTERNAL": errs.Internal, "INVALID_ARGUMENT": errs.InvalidArgument, "UNAUTHENTICATED": errs.Unauthenticated,
	"PERMISSION_DENIED": errs.PermissionDenied, "NOT_FOUND": errs.NotFound, "ALREADY_EXISTS": errs.AlreadyExists,
	"FAILED_PRECONDITION": errs.FailedPrecondition, "ABORTED": errs.Aborted, "RESOURCE_EXHAUSTED": errs.ResourceExhausted,
	"UNAVAILABLE": errs.Unavailable, "DEADLINE_EXCEEDED": errs.DeadlineExceeded, "CANCELLED": errs.Canceled,
	"UNIMPLEMENTED": errs.Unimplemented,
}

// failure is how a reason looks over REST.
type failure struct {
	reason
	code int
	body *object
}

// renderFailures lets the product itself write each reason, so that the document can't differ from it.
func renderFailures(reasons []reason) (map[string]failure, error) {
	rendered := map[string]failure{}
	for _, described := range reasons {
		kind, known := kinds[described.status]
		if !known {
			return nil, fmt.Errorf("the reason %s has the unknown status %s", described.name, described.status)
		}
		problem := errs.New(kind, described.name, described.meaning)
		if fact, ok := exampleFacts[described.name]; ok {
			problem = problem.With(fact[0], fact[1])
		}
		if described.name == "TRANSITION_NOT_ALLOWED" {
			problem = problem.With("status", "todo").With("allowed", "in_progress,cancelled")
		}
		for name, value := range exampleLogins[described.name] {
			problem = problem.With(name, value)
		}
		if violation, ok := exampleViolations[described.name]; ok {
			problem = problem.WithViolation(violation)
		}
		if after, ok := exampleRetries[described.name]; ok {
			problem = problem.WithRetryAfter(after)
		}
		recorder := httptest.NewRecorder()
		rpc.WriteError(recorder, rpc.Fail(problem, exampleCorrelation))
		body, err := readJSON(recorder.Body.Bytes())
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", described.name, err)
		}
		rendered[described.name] = failure{reason: described, code: recorder.Code, body: orderError(body.(*object))}
	}
	return rendered, nil
}

// orderError puts the code first: the product writes the names sorted.
func orderError(body *object) *object {
	inner, ordered := body.object("error"), newObject()
	for _, name := range []string{"code", "status", "message", "details", "correlationId"} {
		ordered.set(name, inner.values[name])
	}
	return newObject("error", ordered)
}

// reasonsOf lists what an operation may refuse with.
func reasonsOf(method *rpc.Method) []string {
	reasons := []string{"INVALID_ARGUMENT"}
	input := method.Descriptor.Input()
	if input.Fields().ByName("page_token") != nil {
		reasons = append(reasons, "PAGE_TOKEN_INVALID")
	}
	if method.Rule != rpc.Public {
		reasons = append(reasons, "TOKEN_MISSING", "TOKEN_INVALID")
	}
	if method.StepUp.MaxAge > 0 {
		reasons = append(reasons, "STEP_UP_REQUIRED")
	}
	if method.Rule == rpc.Organization || method.Rule == rpc.Operator {
		reasons = append(reasons, "PERMISSION_DENIED", "POLICY_FORBIDS")
	}
	if method.Rule == rpc.Organization && !method.ReadOnly && !method.InAnyState {
		reasons = append(reasons, "ORGANIZATION_SUSPENDED", "DELETION_PENDING")
	}
	switch {
	case method.Machines && method.Rule == rpc.Organization:
		reasons = append(reasons, "SCOPE_MISSING", "ADDRESS_NOT_ALLOWED")
	case method.Machines:
		reasons = append(reasons, "ADDRESS_NOT_ALLOWED")
	case method.Rule == rpc.Organization, method.Rule == rpc.Authenticated, method.Rule == rpc.Operator:
		reasons = append(reasons, "CREDENTIAL_NOT_ALLOWED")
	}
	if method.Rule == rpc.Organization {
		reasons = append(reasons, impersonationReasons(method)...)
		reasons = append(reasons, "MEMBER_SUSPENDED", "NOT_FOUND")
	} else if len(pathNames(method)) > 0 {
		reasons = append(reasons, "NOT_FOUND")
	}
	if method.Idempotent {
		reasons = append(reasons, "IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_KEY_IN_USE")
	}
	if takesEtag(method) {
		reasons = append(reasons, "ETAG_MISMATCH")
	}
	if method.Body != "" {
		reasons = append(reasons, "BODY_TOO_LARGE", "MEDIA_TYPE_UNSUPPORTED")
	}
	reasons = append(reasons, "RATE_LIMITED", "OVERLOADED", "UNAVAILABLE")
	if !method.ReadOnly {
		reasons = append(reasons, "STORAGE_FULL")
	}
	if !method.Stream {
		reasons = append(reasons, "DEADLINE_EXCEEDED")
	}
	return append(reasons, ownReasons[method.Procedure]...)
}

func takesEtag(method *rpc.Method) bool {
	fields := method.Descriptor.Input().Fields()
	if fields.ByName("etag") != nil {
		return true
	}
	body := fields.ByName(protoreflect.Name(method.Body))
	return body != nil && body.Kind() == protoreflect.MessageKind && body.Message().Fields().ByName("etag") != nil
}

// checkReasons holds the table of own reasons against the contract.
func checkReasons(methods []*rpc.Method, rendered map[string]failure) error {
	used := map[string]bool{}
	procedures := map[string]bool{}
	for _, method := range methods {
		procedures[method.Procedure] = true
	}
	for procedure, names := range ownReasons {
		if !procedures[procedure] {
			return fmt.Errorf("cmd/reference/failure.go names %s, which is not in the contract", procedure)
		}
		for _, name := range names {
			if _, known := rendered[name]; !known {
				return fmt.Errorf("cmd/reference/failure.go names the reason %s, which is not in the contract", name)
			}
			used[name] = true
		}
	}
	for _, method := range methods {
		for _, name := range reasonsOf(method) {
			used[name] = true
		}
	}
	for name, described := range rendered {
		if described.service != "platform" && !used[name] && !rpc.IsFormReason(name) {
			return fmt.Errorf("no operation has the reason %s: add it to cmd/reference/failure.go", name)
		}
	}
	return nil
}

// failureResponses are an operation's answers other than success, by status. Operations that refuse for the same
// reasons share a component.
func (o *operations) failureResponses(method *rpc.Method) (*object, error) {
	byCode := map[int][]string{}
	for _, name := range reasonsOf(method) {
		described, known := o.failures[name]
		if !known {
			return nil, fmt.Errorf("the reason %s is not in the contract", name)
		}
		if !slices.Contains(byCode[described.code], name) {
			byCode[described.code] = append(byCode[described.code], name)
		}
	}
	responses := newObject()
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		name := strconv.Itoa(code) + "." + strings.Join(byCode[code], ".")
		if o.responses.object(name) == nil {
			o.responses.set(name, failureResponse(code, byCode[code]))
		}
		responses.set(strconv.Itoa(code), newObject("$ref", "#/components/responses/"+name))
	}
	return responses, nil
}

func failureResponse(code int, reasons []string) *object {
	examples := newObject()
	for _, name := range reasons {
		examples.set(name, newObject("$ref", "#/components/examples/"+name))
	}
	headers := newObject(rpc.CorrelationHeader, newObject("$ref", "#/components/headers/CorrelationId"))
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		headers.set("Retry-After", newObject("$ref", "#/components/headers/RetryAfter"))
	}
	if code == http.StatusTooManyRequests {
		addRateHeaders(headers)
	}
	return newObject(
		"description", http.StatusText(code)+": "+strings.Join(reasons, ", ")+".", "headers", headers,
		"content", newObject("application/json", newObject(
			"schema", newObject("$ref", componentPrefix+"Error"), "examples", examples)),
	)
}

// failureExamples are the components that the responses refer to.
func failureExamples(rendered map[string]failure) *object {
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		names = append(names, name)
	}
	slices.Sort(names)
	examples := newObject()
	for _, name := range names {
		examples.set(name, newObject("summary", rendered[name].meaning, "value", rendered[name].body))
	}
	return examples
}

const errorSchemaJSON = `{
  "type": "object", "description": "The one shape of every error.", "required": ["error"],
  "properties": {"error": {
    "type": "object", "required": ["code", "status", "message", "details", "correlationId"],
    "properties": {
      "code": {"type": "integer", "description": "The HTTP status."},
      "status": {"type": "string", "description": "The google.rpc.Code by name."},
      "message": {"type": "string", "description": "For people; it may change."},
      "details": {"type": "array", "description": "google.rpc details. The first is an ErrorInfo with the reason, which is stable.",
        "items": {"type": "object", "required": ["@type"], "properties": {
          "@type": {"type": "string", "description": "The type of the detail, such as type.googleapis.com/google.rpc.ErrorInfo."},
          "reason": {"type": "string", "description": "ErrorInfo: the stable name of what went wrong."},
          "domain": {"type": "string", "description": "ErrorInfo: always braid."},
          "metadata": {"type": "object", "additionalProperties": {"type": "string"}, "description": "ErrorInfo: facts such as the current etag."},
          "fieldViolations": {"type": "array", "description": "BadRequest: the fields that break rules.", "items": {
            "type": "object", "properties": {
              "field": {"type": "string", "description": "The field as the caller spells it."},
              "reason": {"type": "string", "description": "The rule, such as string.max_len."},
              "description": {"type": "string", "description": "For people."}}}},
          "retryDelay": {"type": "string", "description": "RetryInfo: when to come back, such as 1s."},
          "requestId": {"type": "string", "description": "RequestInfo: the correlation id."}}}},
      "correlationId": {"type": "string", "description": "Finds the request in logs and in the audit trail."}
    }}}
}`
