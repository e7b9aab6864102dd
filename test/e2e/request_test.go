package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
)

// values are what requests are filled with, by the contract's field name ("task_id"), or by that with its message's where
// it says little ("Scope.type").
type values map[string]any

// with returns a copy with other values on top.
func (v values) with(others values) values {
	merged := values{}
	for _, source := range []values{v, others} {
		for name, value := range source {
			merged[name] = value
		}
	}
	return merged
}

// request is one call, ready for REST and for Connect.
type request struct {
	method *rpc.Method
	// fields is the whole request as JSON, by JSON name.
	fields map[string]any
}

// makeRequest fills a method's request from values: each field that has one, and within the resource of a PATCH too.
// A request that then breaks the contract's rules fails the test with what to do about it.
func makeRequest(t require.TestingT, method *rpc.Method, known values) request {
	fields := fill(method.Descriptor.Input(), known)
	encoded, err := json.Marshal(fields)
	require.NoError(t, err)
	message := dynamicpb.NewMessage(method.Descriptor.Input())
	require.NoError(t, protojson.Unmarshal(encoded, message), method.Procedure)
	require.NoError(t, protovalidate.Validate(message),
		"%s can't be called: give its field an example in examples() of request_test.go, or, for a path variable, a resource", method.Procedure)
	return request{method: method, fields: fields}
}

func fill(target protoreflect.MessageDescriptor, known values) map[string]any {
	fields := map[string]any{}
	for i := range target.Fields().Len() {
		field := target.Fields().Get(i)
		value, ok := known[string(field.Parent().Name())+"."+string(field.Name())]
		if !ok {
			value, ok = known[string(field.Name())]
		}
		// A name may be a text's in one request and a message's in another. Google's own are texts in JSON.
		if _, isText := value.(string); isText && isOwn(field) {
			ok = false
		}
		switch {
		case !settable(field), ruledOut(field, fields), field.Name() == "public_key": // The example is a key with a secret.
		case ok:
			fields[field.JSONName()] = value
		case isOwn(field) && !field.IsList():
			fields[field.JSONName()] = fill(field.Message(), known.changeable(field.Message()))
		}
	}
	return fields
}

// isOwn reports whether the field holds a message of Braid's.
func isOwn(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.MessageKind && !strings.HasPrefix(string(field.Message().FullName()), "google.")
}

// ruledOut reports whether another field takes the place of this one: of those that the contract lets be only one of, the
// first is filled.
func ruledOut(field protoreflect.FieldDescriptor, filled map[string]any) bool {
	rules, _ := proto.GetExtension(field.Parent().Options(), validate.E_Message).(*validate.MessageRules)
	for _, oneof := range rules.GetOneof() {
		if !slices.Contains(oneof.GetFields(), string(field.Name())) {
			continue
		}
		for _, name := range oneof.GetFields() {
			if _, ok := filled[name]; ok {
				return true
			}
		}
	}
	return false
}

// changeable leaves of the values those that a PATCH may send: never what names the resource itself.
func (v values) changeable(resource protoreflect.MessageDescriptor) values {
	names := []string{"display_name", "title", "body"}
	for _, reference := range referencesIn(resource, string(resource.Name()), nil) {
		names = append(names, reference.name)
	}
	left := values{}
	for name, value := range v {
		if strings.Contains(name, ".") {
			left[name] = value
		}
	}
	for _, name := range names {
		if value, ok := v[name]; ok {
			left[name] = value
		}
	}
	return left
}

// pathVariables are the variables of a REST path, by the contract's field name.
func pathVariables(method *rpc.Method) []string {
	var names []string
	for _, part := range strings.Split(method.Path, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		names = append(names, name)
	}
	return names
}

// rest returns the request's path and body over REST.
func (r request) rest() (path string, body any) {
	path = r.method.Path
	left := map[string]any{}
	for i := range r.method.Descriptor.Input().Fields().Len() {
		field := r.method.Descriptor.Input().Fields().Get(i)
		value, ok := r.fields[field.JSONName()]
		if !ok {
			continue
		}
		if variable := "{" + string(field.Name()) + "}"; strings.Contains(path, variable) {
			path = strings.Replace(path, variable, url.PathEscape(fmt.Sprint(value)), 1)
			continue
		}
		left[field.JSONName()] = value
	}
	switch r.method.Body {
	case "*":
		return path, left
	case "":
		query := url.Values{}
		for name, value := range left {
			query.Set(name, fmt.Sprint(value))
		}
		if len(query) > 0 {
			path += "?" + query.Encode()
		}
		return path, nil
	default:
		field := r.method.Descriptor.Input().Fields().ByName(protoreflect.Name(r.method.Body))
		return path, left[field.JSONName()]
	}
}

// send sends the request over REST. A stream is read up to its first event.
func (s *suite) send(t *testing.T, who *client.Person, r request, options ...client.Option) client.Answer {
	t.Helper()
	path, body := r.rest()
	if r.method.Stream {
		return s.begin(t, who, r.method.HTTPMethod, path, nil, options...)
	}
	return s.do(t, who, r.method.HTTPMethod, path, body, options...)
}

// sendConnect sends the request in Connect's JSON.
func (s *suite) sendConnect(t *testing.T, who *client.Person, r request, options ...client.Option) client.Answer {
	t.Helper()
	options = append(slices.Clone(options), client.WithHeader("Connect-Protocol-Version", "1"))
	if !r.method.Stream {
		return s.do(t, who, http.MethodPost, r.method.Procedure, r.fields, options...)
	}
	encoded, err := json.Marshal(r.fields)
	require.NoError(t, err)
	envelope := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(encoded)))
	options = append(options, client.WithHeader("Content-Type", "application/connect+json"))
	answer := s.begin(t, who, http.MethodPost, r.method.Procedure, append(slices.Clone(envelope), encoded...), options...)
	// An envelope again; one with an error ends the stream.
	if len(answer.Raw) > len(envelope) {
		_ = json.Unmarshal(answer.Raw[len(envelope):], &answer.Body)
	}
	return answer
}

// begin opens a stream and returns how it begins.
func (s *suite) begin(t *testing.T, who *client.Person, method, path string, body []byte, options ...client.Option) client.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), client.EffectTimeout)
	defer cancel()
	opened, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	if who != nil {
		opened.Header.Set("Authorization", "Bearer "+who.Token)
	}
	for _, option := range options {
		option(opened)
	}
	response, err := s.HTTP.Do(opened)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer := client.Answer{Status: response.StatusCode, Header: response.Header}
	first := make([]byte, 64<<10)
	read, err := io.ReadAtLeast(response.Body, first, 1)
	if !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	answer.Raw = first[:read]
	_ = json.Unmarshal(answer.Raw, &answer.Body)
	return answer
}

// connectStatuses are Connect's codes in the numbers of REST.
var connectStatuses = map[string]int{
	"invalid_argument": 400, "unauthenticated": 401, "permission_denied": 403, "not_found": 404, "already_exists": 409,
	"failed_precondition": 409, "aborted": 409, "resource_exhausted": 429, "unimplemented": 404, "unavailable": 503, "internal": 500,
}

// connectStatus is the status that REST would have answered with.
func connectStatus(answer client.Answer) int {
	code, failed := answer.Value("code").(string)
	if nested := answer.Text("error.code"); nested != "" {
		code, failed = nested, true
	}
	if !failed {
		return answer.Status
	}
	return connectStatuses[code]
}

// outside are the services that can't be called without somebody outside who answers: a connection is made only to a
// provider that is there, once in an organization. testSSO and identity's own tests call them, with two tenants.
// Nor can factors be reset but of people whose mail domain is proven, as only one organization's can be.
var outside = map[string]bool{"SsoConnectionService": true, "MemberFactorService": true}

// catalog lists the contract's methods in the order of their procedures.
func catalog(t require.TestingT) []*rpc.Method {
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	require.Greater(t, len(methods), 40)
	list := make([]*rpc.Method, 0, len(methods))
	for _, method := range methods {
		if !outside[string(method.Descriptor.Parent().Name())] {
			list = append(list, method)
		}
	}
	slices.SortFunc(list, func(a, b *rpc.Method) int { return strings.Compare(a.Procedure, b.Procedure) })
	return list
}

// onePixel is a whole PNG file, as JSON spells bytes.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// examples are values that every request may hold; they are new with every call, where they have to be unique.
func examples() values {
	return values{
		"email": client.NewPerson("Nobody").Email, "password": "wrong password, long enough", "display_name": "Example",
		"code": "000000", "refresh_token": "no-such-token", "access_token": "no-such-token", "token": "no-such-token",
		"key": projectKey(), "title": "Example", "body": "Example", "status": "in_progress", "role_id": "member",
		"role_ids": []string{"member"}, "permission": "workflow.task.read", "all": true, "assignee_id": "",
		"CreatePermissionRequest.name": "example." + strings.ToLower(projectKey()) + ".use", "version": 1, "delegable": true,
		"Subject.type": "USER", "Subject.id": id.New().String(), "Scope.type": "ORGANIZATION", "Resource.type": "project",
		"AuthzenSubject.type": "user", "AuthzenSubject.id": "nobody", "AuthzenAction.name": "workflow.task.read",
		"AuthzenResource.type": "project", "AuthzenResource.id": "none", "checks": []map[string]any{{"permission": "workflow.task.read"}},
		"factor_id": id.New().String(), "challenge_token": "no-such-token", "cancellation_token": "no-such-token", "name": "Example",
		"user_ids": []string{id.New().String()}, "credential": map[string]any{"id": "none"},
		"registration_id": id.New().String(), "reset_id": id.New().String(), "change_id": id.New().String(), "overlap": "60s", "scopes": []string{"workflow.task.read"},
		"current_password": "wrong password, long enough", "new_password": "another password, long enough",
		"new_email": client.NewPerson("Nobody").Email,
		"hash":      base64.StdEncoding.EncodeToString(make([]byte, 32)), "credential_id": id.New().String(),
		"device_id": id.New().String(), "avatar_id": id.New().String(), "image": onePixel,
		"transfer_id": id.New().String(), "CreateDomainRequest.name": domainName(),
		// It gives nobody more than they have: the rows of the permission matrix come in any order.
		"CreateAssignmentRequest.role_id": "viewer",
		"rows":                            []map[string]any{{"email": client.NewPerson("Row").Email, "roleId": "viewer"}},
		"confirm_name":                    "Example", "reason": "Example", "access": "READ", "GetSupportGrantMailRequest.support_grant_id": id.New().String(),
		"operator_id": id.New().String(), "impersonation_id": id.New().String(), "CreateOperatorRequest.role": "SUPPORT", "Operator.role": "SYSTEM",
		"provider_id": "none", "redirect_uri": "https://none.example", "state": "none", "browser_token": "none", "link_token": "none", "link_id": id.New().String(),
		"identity_id": id.New().String(), "sso_connection_id": id.New().String(), "issuer": "https://none.invalid", "client_id": "none",
		"client_secret": "none", "default_role_id": "member", "section": "none", "data_export_id": id.New().String(),
		"preferences": []map[string]any{{"kind": "task_assigned", "channel": "email", "enabled": true}},
	}
}
