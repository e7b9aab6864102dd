package gateway_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/braidhq/braid/gateway"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1braid"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// taskHandler and projectHandler are a real service's front with nothing behind it.
type taskHandler struct {
	workflowv1braid.TaskServiceHandler
}

func (taskHandler) GetTask(ctx context.Context, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	return &workflowv1.Task{Id: request.GetTaskId(), Title: call.From(ctx).ClientAddress.String()}, nil
}

func (taskHandler) UpdateTask(_ context.Context, request *workflowv1.UpdateTaskRequest) (*workflowv1.Task, error) {
	return request.GetTask(), nil
}

type projectHandler struct {
	workflowv1braid.ProjectServiceHandler
	next chan *workflowv1.WatchProjectResponse
	// ended is told when a stream's handler has returned.
	ended chan struct{}
}

func (h *projectHandler) WatchProject(ctx context.Context, _ *workflowv1.WatchProjectRequest, send func(*workflowv1.WatchProjectResponse) error) error {
	defer func() { h.ended <- struct{}{} }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case response := <-h.next:
			if err := send(response); err != nil {
				return err
			}
		}
	}
}

// split is a gateway in front of a workflow service that listens elsewhere.
type split struct {
	*door
	service      *rpctest.Server
	projects     *projectHandler
	organization id.ID
	token        string
}

func newSplit(t *testing.T, change func(*gateway.Environment)) *split {
	t.Helper()
	s := &split{projects: &projectHandler{next: make(chan *workflowv1.WatchProjectResponse), ended: make(chan struct{}, 8)}, organization: id.New()}
	s.service = rpctest.NewServer(t, func(server *rpc.Server) error {
		if err := workflowv1braid.MountTaskService(server, taskHandler{}); err != nil {
			return err
		}
		return workflowv1braid.MountProjectService(server, s.projects)
	})
	s.door = newDoor(t, func(e *gateway.Environment) {
		delete(e.Services, "workflow")
		e.URLs["workflow"] = []string{s.service.URL}
		if change != nil {
			change(e)
		}
	})
	token, userID := s.signIn()
	s.token = token
	s.service.Tokens.User(token, userID)
	s.service.Roles.Grant(s.organization, userID, "member")
	vouched, err := s.signer.Token("workflow")
	require.NoError(t, err)
	s.service.Tokens.Service(vouched, gateway.Name)
	return s
}

func (s *split) taskPath() string {
	return "/api/v1/organizations/" + s.organization.String() + "/tasks/" + somewhere
}

// unusedAddress is an address where nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return "http://" + listener.Addr().String()
}

func (s *split) dial(t *testing.T) (*grpc.ClientConn, context.Context) {
	t.Helper()
	connection, err := grpc.NewClient(strings.TrimPrefix(s.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return connection, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token)
}

func TestProxyPassesREST(t *testing.T) {
	t.Parallel()
	s := newSplit(t, nil)
	got := s.send("GET", s.taskPath(), s.token, "", "X-Forwarded-For", "203.0.113.7", "Forwarded", "for=203.0.113.7")
	require.Equal(t, 200, got.status, got.text)
	require.Contains(t, got.text, `"title":"127.0.0.1"`, "the service believes the gateway, the gateway not the client")
	for name, values := range got.header {
		require.Len(t, values, 1, "%s is sent twice: %v", name, values)
	}
	require.Equal(t, "nosniff", got.header.Get("X-Content-Type-Options"))

	missing := s.send("GET", "/api/v1/organizations/"+id.New().String()+"/tasks/"+somewhere, s.token, "")
	require.Equal(t, 404, missing.status)
	require.Equal(t, "NOT_FOUND", missing.reason(t), "the service's own errors pass as they are")

	chunked, err := http.NewRequestWithContext(t.Context(), "PATCH", s.URL+s.taskPath()+"?updateMask=title", struct{ *strings.Reader }{strings.NewReader(`{"title":"x"}`)})
	require.NoError(t, err)
	chunked.Header.Set("Content-Type", "application/json")
	chunked.Header.Set("Authorization", "Bearer "+s.token)
	require.Equal(t, 200, s.do(chunked).status, "a body of unknown length")
}

func TestProxySkipsTheDead(t *testing.T) {
	t.Parallel()
	dead := []string{unusedAddress(t), unusedAddress(t)}
	s := newSplit(t, func(e *gateway.Environment) {
		e.URLs["workflow"] = []string{dead[0], e.URLs["workflow"][0], dead[1]}
	})
	for range 12 {
		got := s.send("PATCH", s.taskPath()+"?updateMask=title", s.token, `{"title":"kept whole"}`)
		require.Equal(t, 200, got.status, got.text)
		require.Contains(t, got.text, "kept whole", "the body is sent again to the next")
	}
}

func TestProxyToNobody(t *testing.T) {
	t.Parallel()
	s := newSplit(t, func(e *gateway.Environment) { e.URLs["workflow"] = []string{unusedAddress(t), unusedAddress(t)} })
	for range 3 {
		got := s.send("GET", s.taskPath(), s.token, "")
		require.Equal(t, 503, got.status)
		require.Equal(t, "UNAVAILABLE", got.reason(t))
		require.NotEmpty(t, got.header.Get("Retry-After"))
		require.NotContains(t, got.text, "127.0.0.1", "where the services are is nobody's business")
	}
	connection, ctx := s.dial(t)
	_, err := getTask(ctx, connection, &workflowv1.GetTaskRequest{OrganizationId: s.organization.String(), TaskId: somewhere})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.Equal(t, "UNAVAILABLE", reasonOf(t, err))
	require.InDelta(t, 4, s.metric("braid_gateway_refusals_total", "reason", "UNAVAILABLE"), 0)
}

// A backend that takes the request and dies may have done the work: it is not done again elsewhere.
func TestProxyDoesNotRepeat(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan struct{}, 16)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			_, _ = bufio.NewReader(connection).ReadString('\n')
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	other := &recorder{}
	otherURL, _ := serve(t, other)
	s := newSplit(t, func(e *gateway.Environment) {
		e.URLs["workflow"] = []string{"http://" + listener.Addr().String(), otherURL}
	})
	statuses := map[int]int{}
	for range 4 {
		statuses[s.send("POST", "/api/v1/organizations/"+s.organization.String()+"/projects", s.token, `{"key":"WEB"}`).status]++
	}
	require.Equal(t, map[int]int{200: 2, 503: 2}, statuses)
	require.Len(t, accepted, 2)
	require.Equal(t, 2, other.count())
}

func getTask(ctx context.Context, connection *grpc.ClientConn, request *workflowv1.GetTaskRequest) (*workflowv1.Task, error) {
	return rpctest.InvokeGRPC[workflowv1.Task](ctx, connection, workflowv1connect.TaskServiceGetTaskProcedure, request)
}

func TestProxyPassesGRPC(t *testing.T) {
	t.Parallel()
	s := newSplit(t, nil)
	connection, ctx := s.dial(t)
	task, err := getTask(ctx, connection, &workflowv1.GetTaskRequest{OrganizationId: s.organization.String(), TaskId: somewhere})
	require.NoError(t, err)
	require.Equal(t, somewhere, task.GetId())
	require.Equal(t, "127.0.0.1", task.GetTitle())

	_, err = getTask(ctx, connection, &workflowv1.GetTaskRequest{OrganizationId: id.New().String(), TaskId: somewhere})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Equal(t, "NOT_FOUND", reasonOf(t, err), "from the service")
	_, err = getTask(t.Context(), connection, &workflowv1.GetTaskRequest{OrganizationId: s.organization.String(), TaskId: somewhere})
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	require.Equal(t, "TOKEN_MISSING", reasonOf(t, err), "from the gateway")

	watching, cancel := context.WithCancel(ctx)
	stream, err := rpctest.StreamGRPC[workflowv1.WatchProjectResponse](watching, connection, workflowv1connect.ProjectServiceWatchProjectProcedure, &workflowv1.WatchProjectRequest{OrganizationId: s.organization.String(), ProjectId: somewhere})
	require.NoError(t, err)
	for revision := range int64(3) {
		s.projects.next <- change(revision)
		response, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, revision, response.GetChange().GetRevision())
	}
	cancel()
	<-s.projects.ended
}

func change(revision int64) *workflowv1.WatchProjectResponse {
	return &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Change{Change: &workflowv1.ProjectChange{Revision: revision}}}
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	t.Fatalf("no ErrorInfo in %v", err)
	return ""
}

// Each event must be seen before the next is made: nothing on the way may hold it back.
func TestProxyFlushesServerSentEvents(t *testing.T) {
	t.Parallel()
	s := newSplit(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/api/v1/organizations/"+s.organization.String()+"/projects/"+somewhere+":watch", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	go func() { s.projects.next <- change(1) }()
	response, err := s.client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	require.Equal(t, []string{"no-store"}, response.Header.Values("Cache-Control"))
	lines := bufio.NewScanner(response.Body)
	for revision := int64(1); revision <= 3; revision++ {
		if revision > 1 {
			s.projects.next <- change(revision)
		}
		require.True(t, lines.Scan())
		require.Equal(t, "event: change", lines.Text())
		require.True(t, lines.Scan())
		require.Equal(t, "id: "+string(rune('0'+revision)), lines.Text())
		require.True(t, lines.Scan())
		require.Contains(t, lines.Text(), `"revision":"`)
		require.True(t, lines.Scan())
		require.Empty(t, lines.Text())
	}
	cancel()
	<-s.projects.ended
}

func TestReflection(t *testing.T) {
	t.Parallel()
	s := newSplit(t, nil)
	connection, ctx := s.dial(t)
	stream, err := grpc_reflection_v1.NewServerReflectionClient(connection).ServerReflectionInfo(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"},
	}))
	response, err := stream.Recv()
	require.NoError(t, err)
	var names []string
	for _, service := range response.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	require.Contains(t, names, "braid.workflow.v1.TaskService")
	require.Contains(t, names, "braid.identity.v1.AuthService")
	require.NotContains(t, names, "braid.identity.v1.DirectoryService", "services of internal methods only are not told")
	require.NoError(t, stream.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "braid.workflow.v1.TaskService"},
	}))
	response, err = stream.Recv()
	require.NoError(t, err)
	require.NotEmpty(t, response.GetFileDescriptorResponse().GetFileDescriptorProto())
	require.NoError(t, stream.CloseSend())
}

func TestAddressesAreChecked(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "10.0.0.7:8080", "ftp://10.0.0.7", "http://"} {
		_, err := gateway.New(gateway.Environment{
			URLs:  map[string][]string{"identity": {address}, "organization": {address}, "workflow": {address}, "notification": {address}, "audit": {address}},
			Clock: newDoor(t, nil).clock, Registerer: newRegistry(),
		})
		require.ErrorContains(t, err, "_URL", address)
	}
}

// gRPC's own servers speak HTTP/2 only; for everything else HTTP/1.1 is faster.
func TestProxySpeaksHTTP2ForGRPCOnly(t *testing.T) {
	t.Parallel()
	behind := &recorder{}
	url, _ := serve(t, behind)
	s := newSplit(t, func(e *gateway.Environment) { e.URLs["workflow"] = []string{url} })
	for contentType, version := range map[string]int{
		"application/grpc": 2, "application/grpc+proto": 2, "application/grpc-web+proto": 1, "application/proto": 1, "application/json": 1,
	} {
		require.Equal(t, 200, s.send("POST", "/braid.workflow.v1.TaskService/GetTask", s.token, "{}", "Content-Type", contentType).status)
		require.Equal(t, version, behind.last(t).ProtoMajor, contentType)
	}
}
