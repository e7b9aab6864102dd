package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// cookieWatch counts the answers of the whole suite that set a cookie. Nobody is signed in by what a browser sends along
// by itself, and so no other site can make it act for somebody.
type cookieWatch struct {
	next      http.RoundTripper
	answers   atomic.Int64
	offenders atomic.Pointer[string]
}

func (c *cookieWatch) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	c.answers.Add(1)
	if len(response.Header.Values("Set-Cookie")) > 0 || response.Header.Get("Access-Control-Allow-Credentials") == "true" {
		offender := request.Method + " " + request.URL.Path
		c.offenders.Store(&offender)
	}
	return response, nil
}

// requireNone fails the test when any answer so far has set a cookie.
func (c *cookieWatch) requireNone(t require.TestingT) {
	require.Positive(t, c.answers.Load())
	if offender := c.offenders.Load(); offender != nil {
		require.Fail(t, "an answer sets a cookie, or lets other sites use one", *offender)
	}
}

// outputFields are those of a resource that the server alone writes.
func outputFields(resource protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	for i := range resource.Fields().Len() {
		field := resource.Fields().Get(i)
		behaviors, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
		if slices.Contains(behaviors, annotations.FieldBehavior_OUTPUT_ONLY) {
			fields = append(fields, field)
		}
	}
	return fields
}

// forgedValue is a value of a field that the server would hardly have written itself; nil for sorts of fields that it has
// no example of.
func forgedValue(field protoreflect.FieldDescriptor) any {
	switch {
	case field.IsList() || field.IsMap():
		return nil
	case field.Kind() == protoreflect.StringKind:
		return id.New().String()
	case field.Kind() == protoreflect.BoolKind:
		return true
	case field.Kind() == protoreflect.Int32Kind:
		return 4711
	case field.Kind() == protoreflect.MessageKind && field.Message().FullName() == "google.protobuf.Timestamp":
		return "2001-02-03T04:05:06Z"
	}
	return nil
}

// testMassAssignment sends each PATCH of the contract with every field that is the server's own: none takes it. The
// methods, their resources and fields come from the contract, so what is added to it is covered.
func testMassAssignment(t *testing.T, s *suite) {
	made, admin := s.tenant(t, "Forged"), s.operator(t, "admin")
	tried := 0
	for _, method := range catalog(t) {
		if method.HTTPMethod != http.MethodPatch || method.Body == "" || method.Body == "*" {
			continue
		}
		path, who, resources := method.Path, made.owner, made.resources
		if method.Rule == rpc.Operator {
			who, resources = admin, s.operatorResources(t, method, admin)
		}
		for _, variable := range pathVariables(method) {
			path = strings.Replace(path, "{"+variable+"}", fmt.Sprint(resources[variable]), 1)
		}
		resource := method.Descriptor.Input().Fields().ByName(protoreflect.Name(method.Body)).Message()
		for _, field := range outputFields(resource) {
			forged := forgedValue(field)
			if forged == nil {
				continue
			}
			tried++
			answer := s.do(t, who, method.HTTPMethod, path, map[string]any{field.JSONName(): forged})
			told := fmt.Sprintf("%s with %s: %s", method.Procedure, field.JSONName(), answer.Raw)
			require.Contains(t, []int{http.StatusOK, http.StatusBadRequest}, answer.Status, told)
			require.NotEqual(t, fmt.Sprint(forged), fmt.Sprint(answer.Body[field.JSONName()]), told)
		}
	}
	require.Greater(t, tried, 20)
}
