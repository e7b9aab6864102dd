package fieldmask_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/fieldmask"
)

var tasks = fieldmask.For(&workflowv1.Task{})

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func stored() *workflowv1.Task {
	return &workflowv1.Task{
		Id: "1", ProjectId: "p", Number: 7, Key: "WEB-7", Title: "Paint", Status: "todo", ReporterId: "ada",
		CreateTime: timestamppb.Now(), Etag: "e",
	}
}

func TestWithoutAMaskWhatIsPresentIsWanted(t *testing.T) {
	t.Parallel()
	update, err := tasks.Read(nil, &workflowv1.Task{Title: "Draw", Etag: "e"})
	require.NoError(t, err)
	require.True(t, update.Has("title"))
	require.False(t, update.Has("description"))
	require.NoError(t, update.Keeps(stored(), "task"))

	nothing, err := tasks.Read(mask(), &workflowv1.Task{})
	require.NoError(t, err)
	require.False(t, nothing.Has("title"))
	require.NoError(t, nothing.Keeps(stored(), "task"))
}

func TestAMaskNamesAlsoWhatIsAbsent(t *testing.T) {
	t.Parallel()
	update, err := tasks.Read(mask("description", "due_time"), &workflowv1.Task{Title: "Ignored"})
	require.NoError(t, err)
	require.True(t, update.Has("description"))
	require.True(t, update.Has("due_time"))
	require.False(t, update.Has("title"))

	all, err := tasks.Read(mask("*"), &workflowv1.Task{Title: "Draw"})
	require.NoError(t, err)
	for _, field := range []string{"title", "description", "priority", "assignee_id", "due_time", "labels"} {
		require.True(t, all.Has(protoreflect.Name(field)), field)
	}
	require.NoError(t, all.Keeps(stored(), "task"), "what a whole resource leaves out of the fixed fields stays")
}

func TestAnUnknownPathIsRefusedInTheCallersSpelling(t *testing.T) {
	t.Parallel()
	for path, spelled := range map[string]string{
		"due_date": `"dueDate"`, "color": `"color"`, "title.x": `"title.x"`, "": `""`, "_é_": `"é"`,
	} {
		_, err := tasks.Read(mask("title", path), &workflowv1.Task{})
		problem := errs.From(err)
		require.Equal(t, errs.InvalidArgument, problem.Kind)
		require.Equal(t, errs.Violation{
			Field: "updateMask", Rule: "field_mask.unknown_path",
			Message: "names " + spelled + ", which is no field; those that can be changed are title, description, priority, assigneeId, dueTime, labels",
		}, problem.Violations[0])
	}
}

// Callers send back what they read: only what differs could be meant as a change.
func TestFixedFieldsKeepTheirValue(t *testing.T) {
	t.Parallel()
	update, err := tasks.Read(nil, stored())
	require.NoError(t, err)
	require.NoError(t, update.Keeps(stored(), "task"))

	for field, change := range map[string]func(*workflowv1.Task){
		"task.projectId":      func(task *workflowv1.Task) { task.ProjectId = "q" },
		"task.organizationId": func(task *workflowv1.Task) { task.OrganizationId = "o" },
		"task.reporterId":     func(task *workflowv1.Task) { task.ReporterId = "ben" },
		"task.status":         func(task *workflowv1.Task) { task.Status = "done" },
	} {
		sent := stored()
		change(sent)
		update, err := tasks.Read(nil, sent)
		require.NoError(t, err)
		violation := errs.From(update.Keeps(stored(), "task")).Violations[0]
		require.Equal(t, field, violation.Field)
		require.Equal(t, "immutable", violation.Rule)
		require.Contains(t, violation.Message, "; an update changes title, ")
	}
	update, err = tasks.Read(mask("status"), &workflowv1.Task{})
	require.NoError(t, err)
	violation := errs.From(update.Keeps(stored(), "task")).Violations[0]
	require.Contains(t, violation.Message, "is changed by :transition")
}

// AIP-203: output-only fields are ignored, wherever they are named.
func TestWhatTheServerWritesIsPassedOver(t *testing.T) {
	t.Parallel()
	sent := &workflowv1.Task{Id: "2", Number: 8, Key: "APP-1", CreateTime: &timestamppb.Timestamp{}, Etag: "x"}
	update, err := tasks.Read(mask("id", "number", "key", "create_time", "update_time", "etag"), sent)
	require.NoError(t, err)
	require.NoError(t, update.Keeps(stored(), "task"))
}
