package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/rpc"
)

func TestObjectsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const text = `{"z":1,"a":[{"y":true,"b":null}],"m":"<&>"}`
	read, err := readJSON([]byte(text))
	require.NoError(t, err)
	made := read.(*object)
	encoded, err := made.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, text, string(encoded))
	require.Equal(t, []string{"z", "a", "m"}, made.names)
	made.remove("a", "absent")
	made.set("z", 2).set("new", "x")
	encoded, err = json.Marshal(made)
	require.NoError(t, err)
	require.Equal(t, `{"z":2,"m":"\u003c\u0026\u003e","new":"x"}`, string(encoded))
	_, err = readJSON([]byte(`{"open":`))
	require.Error(t, err)
}

func TestSpelling(t *testing.T) {
	t.Parallel()
	require.Equal(t, "Create task", spaced("CreateTask"))
	require.Equal(t, "organizationId", camelCase("organization_id"))
	require.Equal(t, "TaskPriority", schemaName("braid.workflow.v1.Task.Priority"))
	require.Equal(t, "Task", schemaName("braid.workflow.v1.Task"))
	method := &rpc.Method{Path: "/api/v1/organizations/{organization_id}/tasks/{task_id}:assign"}
	require.Equal(t, "/api/v1/organizations/{organizationId}/tasks/{taskId}:assign", restPath(method))
	require.Equal(t, []string{"organization_id", "task_id"}, pathNames(method))
}

// The plugin's schemas are made to say what the wire does.
func TestSchemasAreCleaned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ raw, clean string }{
		"well-known types in place": {
			`{"title":"due_time","description":"When.","$ref":"#/components/schemas/google.protobuf.Timestamp"}`,
			`{"type":"string","format":"date-time","description":"When."}`},
		"names without packages": {
			`{"title":"task","$ref":"#/components/schemas/braid.workflow.v1.Task.Priority"}`,
			`{"$ref":"#/components/schemas/TaskPriority"}`},
		"64 bits are text": {
			`{"type":["integer","string"],"title":"revision","format":"int64"}`,
			`{"type":"string","format":"int64"}`},
		"rules of lists stay off their items": {
			`{"type":"array","maxItems":20,"items":{"type":"string","maxItems":20,"uniqueItems":true,"maxLength":50}}`,
			`{"type":"array","maxItems":20,"items":{"type":"string","maxLength":50}}`},
	} {
		raw, err := readJSON([]byte(test.raw))
		require.NoError(t, err, name)
		clean, err := json.Marshal(cleanSchema(raw))
		require.NoError(t, err, name)
		require.JSONEq(t, test.clean, string(clean), name)
	}
}

func TestExamplesAreNotMadeUp(t *testing.T) {
	t.Parallel()
	task, err := exampleOf((&workflowv1.Task{}).ProtoReflect().Descriptor())
	require.NoError(t, err)
	require.Equal(t, "WEB-12", task.(*workflowv1.Task).GetKey())
	// Nobody has written an example for this one.
	_, err = exampleOf((&workflowv1.TaskUpdated{}).ProtoReflect().Descriptor())
	require.ErrorContains(t, err, "TaskUpdated.changed_fields")
}

func TestReasonsAreHeldAgainstTheContract(t *testing.T) {
	t.Parallel()
	known := &contract{}
	reasons, err := known.reasons()
	require.NoError(t, err)
	rendered, err := renderFailures(reasons)
	require.NoError(t, err)
	require.Equal(t, 409, rendered["ETAG_MISMATCH"].code)
	require.Equal(t, 413, rendered["BODY_TOO_LARGE"].code)
	require.Equal(t, 429, rendered["RATE_LIMITED"].code)

	catalog, err := rpc.Catalog()
	require.NoError(t, err)
	var methods []*rpc.Method
	for _, method := range catalog {
		methods = append(methods, method)
	}
	require.NoError(t, checkReasons(methods, rendered))
	rendered["NEW_REASON"] = failure{reason: reason{name: "NEW_REASON", service: "workflow"}}
	require.ErrorContains(t, checkReasons(methods, rendered), "NEW_REASON")
	delete(rendered, "NEW_REASON")
	delete(rendered, "LAST_OWNER")
	require.ErrorContains(t, checkReasons(methods, rendered), "LAST_OWNER")
	_, err = renderFailures([]reason{{name: "X", status: "NO_SUCH"}})
	require.ErrorContains(t, err, "NO_SUCH")
}
