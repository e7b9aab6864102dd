package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/braidhq/braid/gen/openapi"
	"github.com/braidhq/braid/platform/rpc"
)

// The tests read the committed document, which is what users get; that it is what the generator writes is checked by
// make gen-check.
func readDocument(t *testing.T) *object {
	t.Helper()
	read, err := readJSON(openapi.Document)
	require.NoError(t, err)
	return read.(*object)
}

// follow returns what a $ref leads to, or the object itself.
func follow(t *testing.T, document, value *object) *object {
	t.Helper()
	path, ok := strings.CutPrefix(value.text("$ref"), "#/")
	if !ok {
		return value
	}
	found := document
	for _, step := range strings.Split(path, "/") {
		found = found.object(step)
		require.NotNil(t, found, "%s leads nowhere", path)
	}
	return found
}

// walk visits every object with the path to it.
func walk(value any, path string, visit func(path string, found *object)) {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			walk(item, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case *object:
		visit(path, value)
		for _, name := range value.names {
			walk(value.values[name], path+"/"+name, visit)
		}
	}
}

// described calls check with every public method and its operation.
func described(t *testing.T, check func(method *rpc.Method, operation *object)) {
	t.Helper()
	document := readDocument(t)
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	checked := 0
	for _, method := range methods {
		if method.Path == "" {
			continue
		}
		operation := document.object("paths").object(restPath(method)).object(strings.ToLower(method.HTTPMethod))
		require.NotNil(t, operation, method.Procedure)
		check(method, operation)
		checked++
	}
	require.Positive(t, checked)
}

func TestEveryReferenceLeadsSomewhere(t *testing.T) {
	t.Parallel()
	document := readDocument(t)
	references := 0
	used := map[string]bool{}
	walk(document, "", func(_ string, found *object) {
		if target := found.text("$ref"); target != "" {
			references++
			used[target] = true
			follow(t, document, found)
		}
	})
	require.Greater(t, references, 100)
	for _, kind := range []string{"schemas", "responses", "headers", "parameters"} {
		for _, name := range document.object("components").object(kind).names {
			require.True(t, used["#/components/"+kind+"/"+name], "%s %s is used nowhere", kind, name)
		}
	}
}

// standardNames are those that a standard spells: AuthZEN's.
var standardNames = map[string]bool{
	"evaluations_semantic": true, "policy_decision_point": true, "access_evaluation_endpoint": true, "access_evaluations_endpoint": true,
}

func TestNamesAreThoseOfREST(t *testing.T) {
	t.Parallel()
	document := readDocument(t)
	for _, path := range document.object("paths").names {
		require.NotContains(t, path, "_", "path parameters are camelCase")
	}
	walk(document, "", func(path string, found *object) {
		if strings.HasSuffix(path, "/properties") {
			for _, name := range found.names {
				if !standardNames[name] {
					require.NotContains(t, name, "_", path)
				}
			}
		}
	})
	require.NotRegexp(t, regexp.MustCompile(`schemas/(braid|google)\.`), string(openapi.Document))
	require.NotContains(t, string(openapi.Document), "updateMask.paths")
	for _, internal := range []string{"GetRegistrationMailResponse", "GetInvitationMailResponse", "GetSessionStateResponse", "GetTaskRequest"} {
		require.Nil(t, document.object("components").object("schemas").object(internal), "is no part of the public API")
	}
}

func TestOperationsSayWhatTheChainDemands(t *testing.T) {
	t.Parallel()
	described(t, func(method *rpc.Method, operation *object) {
		name := method.Procedure
		require.NotEmpty(t, operation.text("summary"), name)
		require.Equal(t, method.Rule == rpc.Public, len(operation.list("security")) == 0, name)
		require.Equal(t, method.Permission, operation.object("x-braid-permission").text("permission"), name)
		require.Contains(t, operation.text("description"), method.Permission, name)
		parameters := map[string]bool{}
		for _, parameter := range operation.list("parameters") {
			parameters[parameter.(*object).text("$ref")+parameter.(*object).text("name")] = true
		}
		require.Equal(t, method.Idempotent, parameters["#/components/parameters/IdempotencyKey"], name)
		require.True(t, parameters["#/components/parameters/CorrelationId"], name)
		for _, inPath := range pathNames(method) {
			require.True(t, parameters[camelCase(inPath)], name)
		}
		responses := operation.object("responses")
		has := func(code int) bool { return responses.object(strconv.Itoa(code)) != nil }
		require.True(t, has(200) && has(400) && has(429) && has(503), name)
		require.Equal(t, method.Body != "", has(413) && has(415), name)
		if method.Rule != rpc.Public {
			require.True(t, has(401), name)
		}
		if method.Rule == rpc.Organization {
			require.True(t, has(403) && has(404), name)
		}
		if method.Rule == rpc.Operator {
			require.True(t, has(403), name)
			require.Contains(t, operation.text("description"), "operators of the deployment", name)
		}
		if method.Idempotent {
			require.True(t, has(409), name)
		}
	})
}

func TestExamplesAreWhatTheWireCarries(t *testing.T) {
	t.Parallel()
	validator, err := protovalidate.New()
	require.NoError(t, err)
	document := readDocument(t)
	described(t, func(method *rpc.Method, operation *object) {
		if method.Stream || method.Descriptor.Output().FullName() == "google.api.HttpBody" {
			return
		}
		success := operation.object("responses").object("200").object("content").object("application/json")
		fill(t, newMessage(t, method.Descriptor.Output()), success.object("example"))
		if method.Body == "" {
			return
		}
		request := newMessage(t, method.Descriptor.Input())
		body := request
		if method.Body != "*" {
			field := method.Descriptor.Input().Fields().ByName(protoreflect.Name(method.Body))
			body = request.ProtoReflect().Mutable(field).Message().Interface()
		}
		media := operation.object("requestBody").object("content").object("application/json")
		fill(t, body, media.object("example"))
		for _, parameter := range operation.list("parameters") {
			if described := parameter.(*object); described.text("in") == "path" {
				field := method.Descriptor.Input().Fields().ByJSONName(described.text("name"))
				request.ProtoReflect().Set(field, protoreflect.ValueOfString(described.text("example")))
			}
		}
		require.NoError(t, validator.Validate(request), method.Procedure)
		properties := follow(t, document, media.object("schema")).object("properties")
		for _, name := range media.object("example").names {
			require.NotNil(t, properties.object(name), "%s: %s", method.Procedure, name)
			require.NotEqual(t, true, properties.object(name).values["readOnly"], "%s: callers can't set %s", method.Procedure, name)
		}
	})
}

func newMessage(t *testing.T, kind protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	found, err := protoregistry.GlobalTypes.FindMessageByName(kind.FullName())
	require.NoError(t, err)
	return found.New().Interface()
}

func fill(t *testing.T, message proto.Message, example *object) {
	t.Helper()
	encoded, err := json.Marshal(example)
	require.NoError(t, err)
	require.NoError(t, protojson.Unmarshal(encoded, message), string(encoded))
}

func TestErrorExamplesBelongToTheirStatus(t *testing.T) {
	t.Parallel()
	document := readDocument(t)
	described(t, func(method *rpc.Method, operation *object) {
		responses := operation.object("responses")
		for _, code := range responses.names {
			if code == strconv.Itoa(http.StatusOK) {
				continue
			}
			examples := follow(t, document, responses.object(code)).object("content").object("application/json").object("examples")
			require.NotEmpty(t, examples.names, method.Procedure)
			for _, reason := range examples.names {
				problem := follow(t, document, examples.object(reason)).object("value").object("error")
				require.Equal(t, json.Number(code), problem.values["code"], "%s %s", method.Procedure, reason)
				require.Equal(t, reason, problem.list("details")[0].(*object).text("reason"))
			}
		}
	})
}

func TestTheStreamIsDescribed(t *testing.T) {
	t.Parallel()
	streams := 0
	described(t, func(method *rpc.Method, operation *object) {
		if !method.Stream || isFile(method) {
			return
		}
		streams++
		content := operation.object("responses").object("200").object("content").object("text/event-stream")
		require.NotNil(t, content, method.Procedure)
		require.Regexp(t, `(?s)^event: snapshot\nid: 41\ndata: \{.*\}\n\nevent: change\nid: 42\ndata: \{.*\}\n\n: heartbeat\n\n$`, content.text("example"))
	})
	require.Equal(t, 1, streams)
}
