package workflow

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

// A field passes eight places on its way to the table and back, and the compiler misses none of them. This test sends
// every field that a task can be made with, whatever they are, and has no list of them.
func TestEveryFieldOfATaskIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	fields := (&workflowv1.CreateTaskRequest{}).ProtoReflect().Descriptor().Fields()
	for variant := range 2 {
		sent := map[string]any{}
		for i := range fields.Len() {
			if name := fields.Get(i).Name(); name != "organization_id" && name != "project_id" {
				sent[fields.Get(i).JSONName()] = f.someValue(fields.Get(i), variant)
			}
		}
		made := f.must("POST", f.path("/projects/"+project+"/tasks"), f.memberToken, sent)
		changed := f.must("PATCH", f.path("/tasks/"+f.task(project, map[string]any{})["id"].(string)), f.memberToken, sent)
		for _, task := range []map[string]any{made, changed} {
			listed := f.must("GET", f.path("/projects/"+project+"/tasks?filter="+url.QueryEscape("title:\""+sent["title"].(string)+"\"")), f.memberToken, nil)
			require.Contains(t, listed["tasks"], task, "as in the list")
			require.Equal(t, task, f.must("GET", f.path("/tasks/"+task["id"].(string)), f.memberToken, nil))
			for name, value := range sent {
				require.EqualValues(t, value, task[name], name)
			}
		}
	}
}

// someValue makes up a value for a field; that of another variant is another.
func (f *fixture) someValue(field protoreflect.FieldDescriptor, variant int) any {
	var value any
	switch field.Kind() {
	case protoreflect.StringKind:
		value = fmt.Sprintf("%s %d", field.Name(), variant)
		if field.Name() == "assignee_id" {
			value = []string{f.memberID.String(), f.viewerID.String()}[variant]
		}
	case protoreflect.EnumKind:
		value = string(field.Enum().Values().Get(field.Enum().Values().Len() - 1 - variant).Name())
	case protoreflect.MessageKind:
		require.Equal(f.t, "Timestamp", string(field.Message().Name()), "no value for %s", field.FullName())
		value = fmt.Sprintf("2031-01-0%dT10:00:00Z", 1+variant)
	case protoreflect.BoolKind:
		value = variant == 0
	default:
		value = 7 + variant
	}
	if field.IsList() {
		return []any{value}
	}
	return value
}
