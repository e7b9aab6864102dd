package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/testkit/rpctest"
)

// protocol gets a task, or the details of the error, in one of the protocols.
type protocol func(t *testing.T, who *client.Person, request *workflowv1.GetTaskRequest) (*workflowv1.Task, []proto.Message)

func (s *suite) protocols(t *testing.T) map[string]protocol {
	cleartext := &http.Transport{Protocols: new(http.Protocols)}
	cleartext.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(cleartext.CloseIdleConnections)
	overHTTP2 := &http.Client{Transport: cleartext}
	return map[string]protocol{
		"REST":              s.getREST,
		"Connect JSON":      getConnect(workflowv1connect.NewTaskServiceClient(s.HTTP, s.URL, connect.WithProtoJSON())),
		"Connect proto":     getConnect(workflowv1connect.NewTaskServiceClient(s.HTTP, s.URL)),
		"Connect GET":       getConnect(workflowv1connect.NewTaskServiceClient(s.HTTP, s.URL, connect.WithHTTPGet())),
		"Connect h2c":       getConnect(workflowv1connect.NewTaskServiceClient(overHTTP2, s.URL)),
		"gRPC-Web":          getConnect(workflowv1connect.NewTaskServiceClient(s.HTTP, s.URL, connect.WithGRPCWeb())),
		"gRPC-Web JSON":     getConnect(workflowv1connect.NewTaskServiceClient(s.HTTP, s.URL, connect.WithGRPCWeb(), connect.WithProtoJSON())),
		"gRPC by Connect":   getConnect(workflowv1connect.NewTaskServiceClient(overHTTP2, s.URL, connect.WithGRPC())),
		"gRPC, gzipped":     getConnect(workflowv1connect.NewTaskServiceClient(overHTTP2, s.URL, connect.WithGRPC(), connect.WithSendGzip())),
		"gRPC by grpc-go":   getGRPC(s.dialGRPC(t)),
		"REST over h2c":     (&suite{Client: &client.Client{URL: s.URL, HTTP: overHTTP2}}).getREST,
		"Connect JSON, h2c": getConnect(workflowv1connect.NewTaskServiceClient(overHTTP2, s.URL, connect.WithProtoJSON())),
	}
}

func (s *suite) dialGRPC(t *testing.T) *grpc.ClientConn {
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	connection, err := grpc.NewClient("passthrough:///"+address.Host, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

func (s *suite) getREST(t *testing.T, who *client.Person, request *workflowv1.GetTaskRequest) (*workflowv1.Task, []proto.Message) {
	answer := s.do(t, who, http.MethodGet, "/api/v1/organizations/"+request.GetOrganizationId()+"/tasks/"+request.GetTaskId(), nil)
	if answer.Status == http.StatusOK {
		task := &workflowv1.Task{}
		require.NoError(t, protojson.Unmarshal(answer.Raw, task))
		return task, nil
	}
	var failure struct {
		Error struct {
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	require.NoError(t, json.Unmarshal(answer.Raw, &failure))
	var details []proto.Message
	for _, encoded := range failure.Error.Details {
		packed := &anypb.Any{}
		require.NoError(t, protojson.Unmarshal(encoded, packed))
		message, err := packed.UnmarshalNew()
		require.NoError(t, err)
		details = append(details, message)
	}
	return nil, details
}

func getConnect(tasks workflowv1connect.TaskServiceClient) protocol {
	return func(t *testing.T, who *client.Person, request *workflowv1.GetTaskRequest) (*workflowv1.Task, []proto.Message) {
		ctx, call := connect.NewClientContext(t.Context())
		call.RequestHeader().Set("Authorization", "Bearer "+who.Token)
		task, err := tasks.GetTask(ctx, request)
		if err == nil {
			return task, nil
		}
		var failure *connect.Error
		require.True(t, errors.As(err, &failure))
		var details []proto.Message
		for _, packed := range failure.Details() {
			message, err := packed.Value()
			require.NoError(t, err)
			details = append(details, message)
		}
		return nil, details
	}
}

func getGRPC(connection *grpc.ClientConn) protocol {
	return func(t *testing.T, who *client.Person, request *workflowv1.GetTaskRequest) (*workflowv1.Task, []proto.Message) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+who.Token)
		task, err := rpctest.InvokeGRPC[workflowv1.Task](ctx, connection, workflowv1connect.TaskServiceGetTaskProcedure, request)
		if err == nil {
			return task, nil
		}
		var details []proto.Message
		for _, detail := range status.Convert(err).Details() {
			message, ok := detail.(proto.Message)
			require.True(t, ok, "%v", detail)
			details = append(details, message)
		}
		return nil, details
	}
}

func testProtocol(t *testing.T, s *suite) {
	at := s.place(t)
	viewer := s.signUp(t, "Viewer")
	s.join(t, at.organization, at.owner, viewer, "viewer")
	project := s.project(t, at.organization, at.owner, "PRO")
	made := s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{
		"title": "Grüße, 世界 🌍", "description": "<b>&amp;</b> \u2028 \"quoted\" \\ /", "labels": []string{"ä", "b"}, "priority": "URGENT",
		"dueTime": "2031-02-03T04:05:06.789Z", "assigneeId": at.owner.ID,
	})
	good := &workflowv1.GetTaskRequest{OrganizationId: idOf(at.organization), TaskId: made.Text("id")}
	bad := map[string]*workflowv1.GetTaskRequest{
		"NOT_FOUND":        {OrganizationId: idOf(at.organization), TaskId: idOf(at.organization)},
		"INVALID_ARGUMENT": {OrganizationId: idOf(at.organization), TaskId: "no-identifier"},
	}
	protocols := s.protocols(t)
	wanted, details := protocols["REST"](t, at.owner, good)
	require.Empty(t, details)
	require.Equal(t, "Grüße, 世界 🌍", wanted.GetTitle())
	for name, get := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			task, details := get(t, at.owner, good)
			require.Empty(t, details)
			require.Empty(t, cmp.Diff(wanted, task, protocmp.Transform()))
			for reason, request := range bad {
				_, rest := protocols["REST"](t, at.owner, request)
				_, details := get(t, at.owner, request)
				require.Equal(t, reason, reasonOf(details))
				require.Empty(t, cmp.Diff(withoutID(rest), withoutID(details), protocmp.Transform()))
			}
			nobody := *at.owner
			nobody.Token = "no-token"
			_, details = get(t, &nobody, good)
			require.Equal(t, "TOKEN_INVALID", reasonOf(details))
		})
	}
	t.Run("Streams", func(t *testing.T) {
		t.Parallel()
		testProtocolStreams(t, s, at, project)
	})
	t.Run("Reflection", func(t *testing.T) {
		t.Parallel()
		testReflection(t, s)
	})
	t.Run("Documents", func(t *testing.T) {
		t.Parallel()
		testDocuments(t, s)
	})
}

func reasonOf(details []proto.Message) string {
	for _, detail := range details {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// withoutID leaves out the one detail that differs with each request.
func withoutID(details []proto.Message) []proto.Message {
	var left []proto.Message
	for _, detail := range details {
		if _, ok := detail.(*errdetails.RequestInfo); !ok {
			left = append(left, detail)
		}
	}
	return left
}

func testProtocolStreams(t *testing.T, s *suite, at place, project string) {
	request := &workflowv1.WatchProjectRequest{OrganizationId: idOf(at.organization), ProjectId: idOf(project)}
	for name, options := range map[string][]connect.ClientOption{"Connect": nil, "Connect JSON": {connect.WithProtoJSON()}, "gRPC-Web": {connect.WithGRPCWeb()}} {
		ctx, cancel := context.WithTimeout(t.Context(), client.EffectTimeout)
		defer cancel()
		ctx, call := connect.NewClientContext(ctx)
		call.RequestHeader().Set("Authorization", "Bearer "+at.owner.Token)
		stream, err := workflowv1connect.NewProjectServiceClient(s.HTTP, s.URL, options...).WatchProject(ctx, request)
		require.NoError(t, err, name)
		require.True(t, stream.Receive(), "%s: %v", name, stream.Err())
		require.NotNil(t, stream.Msg().GetSnapshot(), name)
		s.task(t, project, at.owner, "Streamed")
		require.True(t, stream.Receive(), "%s: %v", name, stream.Err())
		require.Equal(t, "task.created", stream.Msg().GetChange().GetType(), name)
		cancel()
		_ = stream.Close()
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+at.owner.Token), client.EffectTimeout)
	defer cancel()
	stream, err := rpctest.StreamGRPC[workflowv1.WatchProjectResponse](ctx, s.dialGRPC(t), workflowv1connect.ProjectServiceWatchProjectProcedure, request)
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, first.GetSnapshot())
}

// testReflection asks what there is, as grpcurl does.
func testReflection(t *testing.T, s *suite) {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(s.dialGRPC(t)).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"},
	}))
	answer, err := stream.Recv()
	require.NoError(t, err)
	var names []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	require.NoError(t, containsAll(names, "braid.identity.v1.AuthService", "braid.organization.v1.MemberService",
		"braid.workflow.v1.TaskService", "braid.notification.v1.NotificationService", "braid.audit.v1.AuditService"))
	require.NotContains(t, names, "braid.identity.v1.DirectoryService", "internal services are not shown")
	require.NoError(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "braid.workflow.v1.TaskService"},
	}))
	answer, err = stream.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, answer.GetFileDescriptorResponse().GetFileDescriptorProto())
	require.NoError(t, stream.CloseSend())
}

// testDocuments holds the description to the contract: each path of it is there, and the page needs nobody else.
func testDocuments(t *testing.T, s *suite) {
	described := s.get(t, nil, "/openapi.json")
	require.Equal(t, "3.1", described.Text("openapi")[:3])
	paths, _ := described.Value("paths").(map[string]any)
	for _, method := range catalog(t) {
		if method.Path == "" {
			continue
		}
		spelled := method.Path
		for _, variable := range pathVariables(method) {
			spelled = strings.ReplaceAll(spelled, "{"+variable+"}", "{"+camel(variable)+"}")
		}
		operations, ok := paths[spelled].(map[string]any)
		require.True(t, ok, "%s is not described", spelled)
		require.Contains(t, operations, strings.ToLower(method.HTTPMethod))
	}
	page := s.get(t, nil, "/docs/")
	require.Contains(t, page.Header.Get("Content-Type"), "text/html")
	require.NotRegexp(t, `(src|href)="(https?:)?//`, string(page.Raw), "everything is served from here")
	require.Equal(t, "ok", s.get(t, nil, "/healthz").Text("status"))
	require.Equal(t, map[string]any{"status": "ok"}, s.get(t, nil, "/readyz").Body, "the public port tells no details")
	for _, path := range []string{"/metrics", "/mailbox/messages", "/debug/pprof/"} {
		s.refused(t, http.StatusNotFound, "PATH_UNKNOWN", nil, http.MethodGet, path, nil)
	}
}

// camel spells a field name as JSON does.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
	}
	return strings.Join(parts, "")
}
