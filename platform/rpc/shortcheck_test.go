package rpc

import (
	"slices"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

// shortChecked returns the methods of the whole contract that have short checks.
func shortChecked(t *testing.T) (short []*Method) {
	t.Helper()
	methods, err := Catalog()
	require.NoError(t, err)
	for _, method := range methods {
		if method.checks != nil {
			short = append(short, method)
		}
	}
	return short
}

// shortText draws what fields hold: identifiers, plain texts, and what only looks like either.
func shortText() *rapid.Generator[string] {
	alphabet := []rune("aZ9 .-ßñ漢字👩é \t\n\r\x00\x01\x1b\x7f\u0085\u00a0\u00ad\u200b\u200d\u200e\u2028\u2029\u202e\u2066\u2069\u3000\ufeff\ufffd")
	return rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
		rapid.StringMatching(`[0-9a-gA-G-]{8}[-0][0-9a-f]{4}[-0][0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f@`+"`"+`G]{11,13}`),
		rapid.StringOfN(rapid.SampledFrom([]rune("0123456789abcdefABCDEF-")), 36, 36, -1),
		rapid.StringMatching(`[A-Za-z ,.äß漢]{0,60}`),
		rapid.StringOfN(rapid.SampledFrom(alphabet), 0, 6, -1),
		rapid.Map(rapid.IntRange(0, 250), func(length int) string { return strings.Repeat("é", length) }),
		rapid.String(),
	)
}

// Whatever the short check lets through the validator lets through, too, and the database can hold it.
func TestShortCheckAgreesWithTheValidator(t *testing.T) {
	t.Parallel()
	validator, err := protovalidate.New()
	require.NoError(t, err)
	short := shortChecked(t)
	require.Greater(t, len(short), 10)
	text := shortText()
	passed := map[string]int{}
	for _, method := range short {
		rapid.Check(t, func(t *rapid.T) {
			request := dynamicpb.NewMessage(method.Descriptor.Input())
			for _, check := range method.checks {
				draw(t, request, check.field, text)
			}
			if !method.isValid(request) {
				return
			}
			passed[method.Procedure]++
			if err := validator.Validate(request); err != nil {
				t.Fatalf("%s: the validator says %v", request, err)
			}
			if violation, found := findUnstorable(request, ""); found {
				t.Fatalf("%s can't be stored: %v", request, violation)
			}
		})
	}
	require.Greater(t, len(passed), 5, "hardly anything was drawn that is good")
}

func draw(t *rapid.T, request *dynamicpb.Message, field protoreflect.FieldDescriptor, text *rapid.Generator[string]) {
	if rapid.IntRange(0, 5).Draw(t, "absent") == 0 {
		return
	}
	switch {
	case field.IsList():
		list := request.Mutable(field).List()
		for range rapid.IntRange(0, 22).Draw(t, "items") {
			list.Append(protoreflect.ValueOfString(text.Draw(t, "item")))
		}
	case field.Kind() == protoreflect.EnumKind:
		request.Set(field, protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.IntRange(-1, 7).Draw(t, "enum"))))
	case field.Kind() == protoreflect.StringKind:
		request.Set(field, protoreflect.ValueOfString(text.Draw(t, "text")))
	}
}

// Each rule is seen by the short check: a request that is good but for one thing is not good.
func TestShortCheckSeesEachRule(t *testing.T) {
	t.Parallel()
	short := shortChecked(t)
	at := slices.IndexFunc(short, func(method *Method) bool { return method.Procedure == "/braid.workflow.v1.TaskService/CreateTask" })
	require.GreaterOrEqual(t, at, 0)
	method := short[at]
	good := func() *workflowv1.CreateTaskRequest {
		return &workflowv1.CreateTaskRequest{
			OrganizationId: "0192f3a4-0000-7000-8000-000000000001", ProjectId: "0192f3a4-0000-7000-8000-000000000002",
			Title: "Größe der 漢字 prüfen", Description: "Two lines,\nand a tab:\t.", Priority: workflowv1.Task_HIGH, Labels: []string{"a", "b"},
		}
	}
	require.True(t, method.isValid(good().ProtoReflect()))
	for name, spoil := range map[string]func(*workflowv1.CreateTaskRequest){
		"no organization":       func(r *workflowv1.CreateTaskRequest) { r.OrganizationId = "" },
		"no identifier":         func(r *workflowv1.CreateTaskRequest) { r.AssigneeId = "Ada" },
		"no title":              func(r *workflowv1.CreateTaskRequest) { r.Title = "" },
		"a long title":          func(r *workflowv1.CreateTaskRequest) { r.Title = strings.Repeat("é", 201) },
		"a title of two lines":  func(r *workflowv1.CreateTaskRequest) { r.Title = "one\ntwo" },
		"a turned title":        func(r *workflowv1.CreateTaskRequest) { r.Title = "one\u202etwo" },
		"an invisible title":    func(r *workflowv1.CreateTaskRequest) { r.Title = "\u200b" },
		"a control character":   func(r *workflowv1.CreateTaskRequest) { r.Description = "\x1b[1m" },
		"a NUL":                 func(r *workflowv1.CreateTaskRequest) { r.Description = "\x00" },
		"broken UTF-8":          func(r *workflowv1.CreateTaskRequest) { r.Description = "\xff" },
		"an unknown priority":   func(r *workflowv1.CreateTaskRequest) { r.Priority = 99 },
		"a label twice":         func(r *workflowv1.CreateTaskRequest) { r.Labels = []string{"a", "b", "a"} },
		"a label without text":  func(r *workflowv1.CreateTaskRequest) { r.Labels = []string{""} },
		"too many labels":       func(r *workflowv1.CreateTaskRequest) { r.Labels = strings.Split(strings.Repeat("x,", 20)+"x", ",") },
		"a label of two lines":  func(r *workflowv1.CreateTaskRequest) { r.Labels = []string{"a\nb"} },
		"a label that is long":  func(r *workflowv1.CreateTaskRequest) { r.Labels = []string{strings.Repeat("x", 51)} },
		"a title of spaces and": func(r *workflowv1.CreateTaskRequest) { r.Title = " \u200d " },
	} {
		request := good()
		spoil(request)
		require.False(t, method.isValid(request.ProtoReflect()), name)
	}
}
