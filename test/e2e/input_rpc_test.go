package e2e_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/testkit/rpctest"
)

// onceMore adds a header to those that are there.
func onceMore(name, value string) client.Option {
	return func(request *http.Request) { request.Header.Add(name, value) }
}

// testRPCInput sends what no generated client would: every answer is ours, with a reason and the correlation id.
func testRPCInput(t *testing.T, s *suite, at place) {
	const (
		invalid   = "INVALID_ARGUMENT"
		media     = "MEDIA_TYPE_UNSUPPORTED"
		create    = workflowv1connect.TaskServiceCreateTaskProcedure
		get       = workflowv1connect.TaskServiceGetTaskProcedure
		knownName = "rpc-input"
	)
	header := client.WithHeader
	for name, row := range map[string]struct {
		method, path, body string
		options            []client.Option
		status             int
		reason             string
	}{
		"XML":             {"POST", create, "<x/>", []client.Option{header("Content-Type", "application/xml")}, 415, media},
		"other charset":   {"POST", create, "{}", []client.Option{header("Content-Type", "application/json; charset=latin1")}, 415, media},
		"stream unframed": {"POST", workflowv1connect.ProjectServiceWatchProjectProcedure, "{}", nil, 415, media},
		"brotli":          {"POST", create, "{}", []client.Option{header("Content-Encoding", "br")}, 415, media},
		"broken gzip":     {"POST", create, "{}", []client.Option{header("Content-Encoding", "gzip")}, 400, invalid},
		"no encoding":     {"GET", get + "?message=zz", "", nil, 415, media},
		"malformed query": {"GET", get + "?encoding=proto&base64=1&message=%%%", "", nil, 400, invalid},
		"GET that writes": {"GET", create + "?encoding=json&message=%7B%7D", "", nil, 405, "METHOD_NOT_ALLOWED"},
		"PUT":             {"PUT", create, "{}", nil, 405, "METHOD_NOT_ALLOWED"},
		"no time left":    {"POST", create, "{}", []client.Option{header("Connect-Timeout-Ms", "0")}, 504, "DEADLINE_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body any
			if row.body != "" {
				body = []byte(row.body)
			}
			answer := s.do(t, at.owner, row.method, row.path, body, append(row.options, header("X-Correlation-Id", knownName))...)
			require.Equal(t, row.status, answer.Status, "%s", answer.Raw)
			require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
			require.NotEmpty(t, answer.Text("code"), "Connect's shape")
			require.Contains(t, string(answer.Raw), `"reason":"`+row.reason+`"`)
			require.Contains(t, string(answer.Raw), `"requestId":"`+knownName+`"`)
		})
	}
	for name, row := range map[string]struct {
		body, contentType, encoding string
		reason                      string
	}{
		"cut short":   {"\x00\x00\x00\x00\x50abc", "application/grpc-web", "", invalid},
		"flags":       {"\x04\x00\x00\x00\x02{}", "application/grpc-web+proto", "", invalid},
		"nothing":     {"", "application/grpc-web", "", invalid},
		"two":         {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "application/grpc-web", "", invalid},
		"4 GiB":       {"\x00\xff\xff\xff\xff{}", "application/grpc-web", "", "BODY_TOO_LARGE"},
		"broken gzip": {"\x01\x00\x00\x00\x02{}", "application/grpc-web", "gzip", invalid},
		"zstd":        {"\x01\x00\x00\x00\x02{}", "application/grpc-web", "zstd", media},
		"text":        {"AAAAAAA=", "application/grpc-web-text", "", media},
		"other codec": {"\x00\x00\x00\x00\x00", "application/grpc-web+xml", "", media},
	} {
		t.Run("gRPC-Web, "+name, func(t *testing.T) {
			t.Parallel()
			options := []client.Option{header("Content-Type", row.contentType), header("X-Correlation-Id", knownName)}
			if row.encoding != "" {
				options = append(options, header("Grpc-Encoding", row.encoding))
			}
			answer := s.do(t, at.owner, http.MethodPost, create, []byte(row.body), options...)
			require.Equal(t, http.StatusOK, answer.Status)
			require.Equal(t, "3", answer.Header.Get("Grpc-Status"))
			encoded, err := base64.RawStdEncoding.DecodeString(answer.Header.Get("Grpc-Status-Details-Bin"))
			require.NoError(t, err)
			told := &spb.Status{}
			require.NoError(t, proto.Unmarshal(encoded, told))
			requireDetails(t, status.FromProto(told), row.reason, knownName)
		})
	}
	t.Run("gRPC, unknown service", func(t *testing.T) {
		t.Parallel()
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-correlation-id", knownName)
		_, err := rpctest.InvokeGRPC[workflowv1.Task](ctx, s.dialGRPC(t), "/x.Y/Z", &emptypb.Empty{})
		require.Equal(t, codes.NotFound, status.Code(err))
		requireDetails(t, status.Convert(err), "PATH_UNKNOWN", knownName)
	})
}

func requireDetails(t *testing.T, told *status.Status, reason, correlationID string) {
	t.Helper()
	found := 0
	for _, detail := range told.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			require.Equal(t, reason, detail.GetReason())
			found++
		case *errdetails.RequestInfo:
			require.Equal(t, correlationID, detail.GetRequestId())
			found++
		}
	}
	require.Equal(t, 2, found, "%v", told)
}
