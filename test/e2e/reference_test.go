package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	validate "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/rpc"
)

// nobodys are references to what belongs to no tenant, with the reason.
var nobodys = map[string]string{
	"operator_id": "for services only", "impersonation_id": "the operator's who began it",
	"role_id": "system roles are the same everywhere", "role_ids": "system roles are the same everywhere",
	"reset_id": "for services only", "change_id": "for services only",
	"avatar_id": "of whoever has it: it can't be guessed", "device_id": "for services only",
	"registration_id": "of somebody who is nobody yet, and for services only", "last_event_id": "a revision",
	"credential_id": "a machine's, and for services only", "token_id": "of a machine's token, and for services only",
	"id": "means nothing without its type, and is compared only", "owner_id": "is compared only",
	"parents.role_id": "fill can't fill lists: a role of nobody's as a parent is tried by organization", "role.parents.role_id": "as parents.role_id",
	"checks.user_id": "fill can't fill lists: others are asked about one by one, too", "checks.resource.project_id": "is compared only",
	"resource.project_id": "is compared only",
	"provider_id":         "of the deployment", "sso_connection_id": "needs a provider that answers: identity's own tests have two tenants",
	"identity_id":       "needs a provider that answers: identity's own tests have two people",
	"rows.role_id":      "fill can't fill lists: a role of nobody's is tried by organization",
	"auto_join_role_id": "system roles are the same everywhere", "transfer_id": "for services only", "link_id": "for services only",
}

// reference is a field of a request that names something.
type reference struct {
	name, path string
	// variable says that it stands in the path; nested that it is within another message, listed within one of a list.
	variable, nested, listed bool
}

// referencesOf are the fields of a method's request that name something and that a client may set.
func referencesOf(method *rpc.Method) []reference {
	variables, found := pathVariables(method), referencesIn(method.Descriptor.Input(), "", nil)
	for i := range found {
		found[i].variable = !found[i].nested && slices.Contains(variables, found[i].name)
	}
	return found
}

func referencesIn(message protoreflect.MessageDescriptor, path string, above []protoreflect.FullName) (found []reference) {
	if slices.Contains(above, message.FullName()) || strings.HasPrefix(string(message.FullName()), "google.") {
		return nil
	}
	above = append(slices.Clone(above), message.FullName())
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if !settable(field) {
			continue
		}
		name := strings.TrimPrefix(path+"."+string(field.Name()), ".")
		if refers(field) {
			found = append(found, reference{name: string(field.Name()), path: name, nested: path != ""})
		}
		if field.Message() == nil {
			continue
		}
		for _, inner := range referencesIn(field.Message(), name, above) {
			inner.listed = inner.listed || field.IsList() || field.IsMap()
			found = append(found, inner)
		}
	}
	return found
}

// settable says whether a request may hold the field: an answer's fields stand in the same message.
func settable(field protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return !proto.HasExtension(field.Options(), optionsv1.E_Fixed) && !slices.Contains(behavior, annotations.FieldBehavior_OUTPUT_ONLY)
}

// refers says whether the field names something, by its own name or by its rule.
func refers(field protoreflect.FieldDescriptor) bool {
	name := string(field.Name())
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	return name == "id" || strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids") ||
		rules.GetString().GetUuid() || rules.GetRepeated().GetItems().GetString().GetUuid()
}

// checkReferences holds a test that calls every method to all of the contract.
func checkReferences(t *testing.T, methods []*rpc.Method, a tenant) {
	t.Helper()
	for _, method := range methods {
		require.Empty(t, unknownReferences(method, a.resources))
	}
}

// unknownReferences says of each reference that could not be tried with another tenant's what has to be done.
func unknownReferences(method *rpc.Method, resources values) (problems []string) {
	for _, reference := range referencesOf(method) {
		where := fmt.Sprintf("%s: %s", method.Procedure, reference.path)
		_, known := resources[reference.name]
		if _, free := nobodys[reference.name]; free && !known {
			continue
		}
		if _, free := nobodys[reference.path]; free && reference.nested {
			continue
		}
		switch {
		case !known:
			problems = append(problems, where+" refers to what tenant() of tenants_test.go has not: make one there, or say in nobodys whose it is")
		case reference.listed:
			problems = append(problems, where+" is in a list of messages, which fill of request_test.go can't fill")
		case reference.nested && slices.Contains(pathVariables(method), reference.name):
			problems = append(problems, where+" has the name of a path variable: fill of request_test.go can't give them different values")
		}
	}
	return problems
}

// TestUnknownReferencesAreNoticed adds to a request what a new method may bring.
func TestUnknownReferencesAreNoticed(t *testing.T) {
	t.Parallel()
	field := func(name, message string, label descriptorpb.FieldDescriptorProto_Label, number int32, options *descriptorpb.FieldOptions) *descriptorpb.FieldDescriptorProto {
		made := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Label: &label, Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Options: options}
		if message != "" {
			made.Type, made.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), &message
		}
		return made
	}
	const one, many = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	output, uuid := &descriptorpb.FieldOptions{}, &descriptorpb.FieldOptions{}
	proto.SetExtension(output, annotations.E_FieldBehavior, []annotations.FieldBehavior{annotations.FieldBehavior_OUTPUT_ONLY})
	proto.SetExtension(uuid, validate.E_Field, &validate.FieldRules{Type: &validate.FieldRules_String_{String_: &validate.StringRules{WellKnown: &validate.StringRules_Uuid{Uuid: true}}}})
	inner := &descriptorpb.DescriptorProto{Name: new("Inner"), Field: []*descriptorpb.FieldDescriptorProto{
		field("task_id", "", one, 1, nil), field("parent_ids", "", many, 2, nil), field("assignee_id", "", one, 3, nil), field("inner", ".x.Inner", one, 4, nil),
	}}
	outer := &descriptorpb.DescriptorProto{Name: new("Request"), Field: []*descriptorpb.FieldDescriptorProto{
		field("task_id", "", one, 1, nil), field("target_project_id", "", one, 2, nil), field("author_id", "", one, 3, output),
		field("role_id", "", one, 4, nil), field("predecessor", "", one, 5, uuid), field("title", "", one, 6, nil),
		field("inner", ".x.Inner", one, 7, nil), field("inners", ".x.Inner", many, 8, nil),
	}}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("x.proto"), Package: new("x"), Syntax: new("proto3"), MessageType: []*descriptorpb.DescriptorProto{inner, outer},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("S"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: new("M"), InputType: new(".x.Request"), OutputType: new(".x.Request")},
		}}},
	}, nil)
	require.NoError(t, err)
	method := &rpc.Method{Procedure: "/x.S/M", Path: "/x/{task_id}", Descriptor: file.Services().Get(0).Methods().Get(0)}
	var paths []string
	for _, problem := range unknownReferences(method, values{"task_id": "1", "assignee_id": "2"}) {
		path, _, _ := strings.Cut(strings.TrimPrefix(problem, "/x.S/M: "), " ")
		paths = append(paths, path)
	}
	require.Equal(t, []string{
		"target_project_id", "predecessor", "inner.task_id", "inner.parent_ids", "inners.task_id", "inners.parent_ids", "inners.assignee_id",
	}, paths)
}
