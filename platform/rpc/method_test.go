package rpc_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// service describes braid.example.v1.ExampleService with one method per permission option; nil is none.
func service(t *testing.T, permissions map[string]*optionsv1.Permission) protoreflect.ServiceDescriptor {
	t.Helper()
	text, number := descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_INT64
	optional := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
	described := &descriptorpb.ServiceDescriptorProto{Name: proto.String("ExampleService")}
	for name, permission := range permissions {
		options := &descriptorpb.MethodOptions{}
		if permission != nil {
			proto.SetExtension(options, optionsv1.E_Permission, permission)
		}
		described.Method = append(described.Method, &descriptorpb.MethodDescriptorProto{
			Name: proto.String(name), InputType: proto.String(".braid.example.v1.Request"), OutputType: proto.String(".braid.example.v1.Request"), Options: options,
		})
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("braid/example/v1/example.proto"), Package: proto.String("braid.example.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{
			{Name: proto.String("organization_id"), Number: proto.Int32(1), Type: &text, Label: &optional},
			{Name: proto.String("owner_id"), Number: proto.Int32(2), Type: &text, Label: &optional},
			{Name: proto.String("count"), Number: proto.Int32(3), Type: &number, Label: &optional},
		}}},
		Service: []*descriptorpb.ServiceDescriptorProto{described},
	}, protoregistry.GlobalFiles)
	require.NoError(t, err)
	return file.Services().Get(0)
}

func named(name, role string, more ...func(*optionsv1.Permission)) *optionsv1.Permission {
	permission := &optionsv1.Permission{Rule: &optionsv1.Permission_Name{Name: name}, Role: role}
	for _, change := range more {
		change(permission)
	}
	return permission
}

func TestServiceWithoutARuleIsNotMounted(t *testing.T) {
	t.Parallel()
	good := map[string]*optionsv1.Permission{
		"Public":        {Rule: &optionsv1.Permission_Public{Public: true}},
		"Authenticated": {Rule: &optionsv1.Permission_Authenticated{Authenticated: true}},
		"Internal":      {Rule: &optionsv1.Permission_Internal{Internal: true}},
		"Named":         named("example.thing.read", "viewer"),
		"Owned":         named("example.thing.read", "viewer", func(p *optionsv1.Permission) { p.OrganizationField, p.SelfField = "owner_id", "owner_id" }),
	}
	roles, err := rpctest.NewRoles()
	require.NoError(t, err)
	server := rpc.NewServer(newChain(t, rpctest.NewTokens(), roles))
	methods, err := server.Methods(service(t, good))
	require.NoError(t, err)
	require.Len(t, methods, len(good))
	require.Equal(t, rpc.Internal, methods["Internal"].Rule)
	require.Equal(t, "example", methods["Named"].Service)
	require.Len(t, server.Procedures(), len(good))

	for name, permission := range map[string]*optionsv1.Permission{
		"NoOption":           nil,
		"NoRule":             {},
		"NotPublic":          {Rule: &optionsv1.Permission_Public{}},
		"NotAuthenticated":   {Rule: &optionsv1.Permission_Authenticated{}},
		"NotInternal":        {Rule: &optionsv1.Permission_Internal{}},
		"EmptyName":          named("", "viewer"),
		"OfAnotherService":   named("workflow.task.read", "viewer"),
		"NoRole":             named("example.thing.read", ""),
		"NoSuchRole":         named("example.thing.read", "king"),
		"NoOrganization":     named("example.thing.read", "viewer", func(p *optionsv1.Permission) { p.OrganizationField = "nothing" }),
		"OrganizationNoText": named("example.thing.read", "viewer", func(p *optionsv1.Permission) { p.OrganizationField = "count" }),
		"NoSelf":             named("example.thing.read", "viewer", func(p *optionsv1.Permission) { p.SelfField = "nothing" }),
	} {
		_, err := server.Methods(service(t, map[string]*optionsv1.Permission{name: permission, "Good": good["Public"], "Other": nil}))
		require.ErrorContains(t, err, "/braid.example.v1.ExampleService/"+name)
		require.ErrorContains(t, err, "/braid.example.v1.ExampleService/Other", "all are named at once")
	}
}

func TestContractIsWhole(t *testing.T) {
	t.Parallel()
	catalog, err := rpc.Catalog()
	require.NoError(t, err)
	require.NotEmpty(t, catalog)
	roles := map[string]string{}
	for procedure, method := range catalog {
		require.Equal(t, procedure, method.Procedure)
		if method.Rule == rpc.Internal {
			require.Empty(t, method.Path, "%s must not be reachable over REST", procedure)
		}
		if method.Rule == rpc.Organization {
			if known, ok := roles[method.Permission]; ok {
				require.Equal(t, known, method.Role, "methods that share %s name the same role", method.Permission)
			}
			roles[method.Permission] = method.Role
		}
	}
	_, err = rpc.NewRouter(catalog)
	require.NoError(t, err)
}

func TestRouterFindsWhatTheServerServes(t *testing.T) {
	t.Parallel()
	catalog, err := rpc.Catalog()
	require.NoError(t, err)
	router, err := rpc.NewRouter(catalog)
	require.NoError(t, err)
	for _, asked := range []struct{ method, path, want string }{
		{"GET", "/api/v1/organizations/o/tasks/t", "/braid.workflow.v1.TaskService/GetTask"},
		{"POST", "/api/v1/organizations/o/tasks/t:assign", "/braid.workflow.v1.TaskService/AssignTask"},
		{"POST", "/api/v1/invitations:accept", "/braid.organization.v1.InvitationService/AcceptInvitation"},
		{"GET", "/api/v1/organizations/o/projects/p:watch", "/braid.workflow.v1.ProjectService/WatchProject"},
		{"POST", "/braid.workflow.v1.TaskService/GetTask", "/braid.workflow.v1.TaskService/GetTask"},
	} {
		found, err := router.Find(asked.method, &url.URL{Path: asked.path})
		require.NoError(t, err, asked.path)
		require.Equal(t, asked.want, found.Procedure)
	}
	for path, want := range map[string]string{
		"/api/v1/organizations//tasks/t":       "PATH_UNKNOWN",
		"/api/v1/organizations/o/tasks/t:fly":  "PATH_UNKNOWN",
		"/api/v1/organizations/o/tasks/t/more": "PATH_UNKNOWN",
		"/":                                    "PATH_UNKNOWN",
		"":                                     "PATH_UNKNOWN",
		"/braid.workflow.v1.TaskService/None":  "PATH_UNKNOWN",
		"/api/v1/organizations/o/tasks/t":      "METHOD_NOT_ALLOWED",
	} {
		_, err := router.Find("PUT", &url.URL{Path: path})
		require.ErrorContains(t, err, want, path)
	}
}
