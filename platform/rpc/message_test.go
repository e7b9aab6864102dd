package rpc_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

const (
	invalidArgument = "INVALID_ARGUMENT"
	mediaType       = "MEDIA_TYPE_UNSUPPORTED"
	correlation     = "known-to-both"
)

// refusal is an error as any RPC protocol tells it.
type refusal struct {
	http   int
	header http.Header
	code   connect.Code
	text   string
	info   *errdetails.ErrorInfo
	bad    *errdetails.BadRequest
}

// rule is of the form "field rule".
func (r refusal) rule() string {
	if len(r.bad.GetFieldViolations()) == 0 {
		return ""
	}
	violation := r.bad.GetFieldViolations()[0]
	return strings.TrimSpace(violation.GetField() + " " + violation.GetReason())
}

// refuse sends a request that must be refused, with the correlation id that it names, and none of the library's words.
func (b *bundle) refuse(t *testing.T, method, path string, body []byte, headers ...string) refusal {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.token)
	request.Header.Set(rpc.CorrelationHeader, correlation)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := b.Client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	answer := refusal{http: response.StatusCode, header: response.Header}
	requestInfo := &errdetails.RequestInfo{}
	for _, packed := range answer.read(t, response, content) {
		detail, err := packed.UnmarshalNew()
		require.NoError(t, err)
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			answer.info = detail
		case *errdetails.BadRequest:
			answer.bad = detail
		case *errdetails.RequestInfo:
			requestInfo = detail
		}
	}
	require.Equal(t, correlation, requestInfo.GetRequestId(), "%s", content)
	require.Equal(t, correlation, response.Header.Get(rpc.CorrelationHeader))
	require.Equal(t, rpc.Domain, answer.info.GetDomain())
	for _, foreign := range []string{"protocol error", "envelope", "unmarshal", "EOF", "deadline_exceeded:", "context ", "message size"} {
		require.NotContains(t, answer.text, foreign)
	}
	return answer
}

// read takes the error from where the protocol of the answer has it.
func (r *refusal) read(t *testing.T, response *http.Response, content []byte) []*anypb.Any {
	t.Helper()
	kind := response.Header.Get("Content-Type")
	if strings.HasPrefix(kind, "application/grpc") {
		told := response.Trailer
		if strings.HasPrefix(kind, "application/grpc-web") || len(told) == 0 {
			told = response.Header
		}
		require.NotEmpty(t, told.Get("Grpc-Status"), "%v", response.Header)
		encoded, err := base64.RawStdEncoding.DecodeString(told.Get("Grpc-Status-Details-Bin"))
		require.NoError(t, err)
		status := &spb.Status{}
		require.NoError(t, proto.Unmarshal(encoded, status))
		r.code, r.text = connect.Code(status.GetCode()), status.GetMessage()
		return status.GetDetails()
	}
	var told struct {
		Code    connect.Code
		Message string
		Details []struct {
			Type  string
			Value string
		}
	}
	if strings.HasPrefix(kind, "application/connect+") {
		require.Equal(t, byte(2), content[0], "the frame that ends the stream")
		var end struct{ Error json.RawMessage }
		require.NoError(t, json.Unmarshal(content[5:], &end))
		content = end.Error
	}
	require.NoError(t, json.Unmarshal(content, &told), "%s", content)
	r.code, r.text = told.Code, told.Message
	var details []*anypb.Any
	for _, detail := range told.Details {
		value, err := base64.RawStdEncoding.DecodeString(detail.Value)
		require.NoError(t, err)
		details = append(details, &anypb.Any{TypeUrl: "type.googleapis.com/" + detail.Type, Value: value})
	}
	return details
}

func frame(flags byte, announced uint32, content string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flags}, announced), content...)
}

func zipped(t *testing.T, content []byte) []byte {
	t.Helper()
	var buffer bytes.Buffer
	packer := gzip.NewWriter(&buffer)
	_, err := packer.Write(content)
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	return buffer.Bytes()
}

const (
	createTask   = workflowv1connect.TaskServiceCreateTaskProcedure
	getTask      = workflowv1connect.TaskServiceGetTaskProcedure
	watchProject = workflowv1connect.ProjectServiceWatchProjectProcedure
)

// framed are the content types of the protocols with frames, the header that names their encoding, the one that names
// what is accepted, and a procedure.
var framed = map[string][3]string{
	"application/grpc":           {"Grpc-Encoding", "Grpc-Accept-Encoding", createTask},
	"application/grpc+json":      {"Grpc-Encoding", "Grpc-Accept-Encoding", createTask},
	"application/grpc-web":       {"Grpc-Encoding", "Grpc-Accept-Encoding", createTask},
	"application/grpc-web+proto": {"Grpc-Encoding", "Grpc-Accept-Encoding", createTask},
	"application/connect+json":   {"Connect-Content-Encoding", "Connect-Accept-Encoding", watchProject},
	"application/connect+proto":  {"Connect-Content-Encoding", "Connect-Accept-Encoding", watchProject},
}

func TestFramesAreReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	bomb := zipped(t, make([]byte, 50*rpc.MaxBody))
	for name, sent := range map[string]struct {
		body     []byte
		encoding string
		reason   string
		rule     string
	}{
		"none":               {nil, "", invalidArgument, "request.frame"},
		"prefix cut short":   {[]byte{0, 0, 0}, "", invalidArgument, "request.frame"},
		"message cut short":  {frame(0, 80, "abc"), "", invalidArgument, "request.frame"},
		"two":                {append(frame(0, 0, ""), frame(0, 0, "")...), "", invalidArgument, "request.frame"},
		"unknown flag":       {frame(4, 2, "{}"), "", invalidArgument, "request.frame"},
		"end of stream":      {frame(2, 2, "{}"), "", invalidArgument, "request.frame"},
		"trailers":           {frame(0x80, 2, "{}"), "", invalidArgument, "request.frame"},
		"packed, not said":   {frame(1, 2, "{}"), "", invalidArgument, "request.frame"},
		"packed as it is":    {frame(1, 2, "{}"), "identity", invalidArgument, "request.frame"},
		"no gzip":            {frame(1, 2, "{}"), "gzip", invalidArgument, "request.encoding"},
		"gzip cut short":     {frame(1, 20, string(zipped(t, []byte("{}"))[:20])), "gzip", invalidArgument, "request.encoding"},
		"other encoding":     {frame(1, 2, "{}"), "br", mediaType, ""},
		"encoding not used":  {frame(0, 2, "{}"), "zstd", mediaType, ""},
		"4 GiB":              {frame(0, 1<<32-1, "{}"), "", "BODY_TOO_LARGE", ""},
		"unpacks to a lot":   {frame(1, uint32(len(bomb)), string(bomb)), "gzip", "BODY_TOO_LARGE", ""},
		"more than announce": {frame(0, 1, "{}"), "", invalidArgument, "request.frame"},
	} {
		for contentType, at := range framed {
			headers := []string{"Content-Type", contentType}
			if sent.encoding != "" {
				headers = append(headers, at[0], sent.encoding)
			}
			answer := b.refuse(t, "POST", at[2], sent.body, headers...)
			require.Equal(t, 200, answer.http, "%s: %s", contentType, name)
			require.Equal(t, connect.CodeInvalidArgument, answer.code, "%s: %s", contentType, name)
			require.Equal(t, sent.reason, answer.info.GetReason(), "%s: %s", contentType, name)
			require.Equal(t, sent.rule, answer.rule(), "%s: %s", contentType, name)
			if sent.reason == mediaType {
				require.Equal(t, "gzip", answer.header.Get(at[1]), "%s: %s", contentType, name)
			}
		}
	}
}

// What is wrapped well arrives as it was sent.
func TestWrappedMessagesArrive(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	sent := &workflowv1.CreateTaskRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String(), Title: "fine"}
	content, err := proto.Marshal(sent)
	require.NoError(t, err)
	packed := zipped(t, content)
	for name, row := range map[string]struct {
		body    []byte
		headers []string
	}{
		"frame":        {frame(0, uint32(len(content)), string(content)), []string{"Content-Type", "application/grpc"}},
		"packed frame": {frame(1, uint32(len(packed)), string(packed)), []string{"Content-Type", "application/grpc-web+proto", "Grpc-Encoding", "gzip"}},
		"packed":       {packed, []string{"Content-Type", "application/proto", "Content-Encoding", "GZIP"}},
		"capitals":     {content, []string{"Content-Type", "Application/PROTO", "Content-Encoding", "identity"}},
	} {
		_, seen := b.seen()
		status, _, answer := b.raw(t, "POST", createTask, row.body, row.headers...)
		require.Equal(t, 200, status, "%s: %s", name, answer)
		require.NotNil(t, *seen, name)
		require.True(t, proto.Equal(sent, *seen), name)
	}
	for name, query := range map[string]string{
		"JSON":   "?encoding=json&connect=v1&message=" + `{"organizationId":"` + b.organization.String() + `","taskId":"` + b.organization.String() + `"}`,
		"base64": "?encoding=json&base64=1&message=" + base64.URLEncoding.EncodeToString([]byte(`{"organizationId":"`+b.organization.String()+`","taskId":"`+b.organization.String()+`"}`)),
		"packed": "?encoding=json&base64=1&compression=gzip&message=" + base64.RawURLEncoding.EncodeToString(zipped(t, []byte(`{"organizationId":"`+b.organization.String()+`","taskId":"`+b.organization.String()+`"}`))),
	} {
		_, seen := b.seen()
		status, header, answer := b.raw(t, "GET", getTask+strings.ReplaceAll(query, `"`, "%22"), nil)
		require.Equal(t, 200, status, "%s: %s", name, answer)
		require.Equal(t, "Accept-Encoding", header.Get("Vary"))
		require.Equal(t, b.organization.String(), (*seen).(*workflowv1.GetTaskRequest).GetTaskId(), name)
	}
}

func TestUnaryConnectIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	const json = "application/json"
	for name, row := range map[string]struct {
		method, path string
		body         string
		headers      []string
		http         int
		reason, rule string
	}{
		"XML":                  {"POST", createTask, "<x/>", []string{"Content-Type", "application/xml"}, 415, mediaType, ""},
		"other charset":        {"POST", createTask, "{}", []string{"Content-Type", json + "; charset=latin1"}, 415, mediaType, ""},
		"no media type":        {"POST", createTask, "{}", nil, 415, mediaType, ""},
		"unary for a stream":   {"POST", watchProject, "{}", []string{"Content-Type", json}, 415, mediaType, ""},
		"no encoding in query": {"GET", getTask + "?message=zz", "", nil, 415, mediaType, ""},
		"unknown in query":     {"GET", getTask + "?encoding=connect%2Bjson&message=zz", "", nil, 415, mediaType, ""},
		"packed in query":      {"GET", getTask + "?encoding=json&compression=br&message=zz", "", nil, 415, mediaType, ""},
		"brotli":               {"POST", createTask, "{}", []string{"Content-Type", json, "Content-Encoding", "br"}, 415, mediaType, ""},
		"two encodings":        {"POST", createTask, "{}", []string{"Content-Type", json, "Content-Encoding", "gzip", "Content-Encoding", "gzip"}, 415, mediaType, ""},
		"no gzip":              {"POST", createTask, "{}", []string{"Content-Type", json, "Content-Encoding", "gzip"}, 400, invalidArgument, "request.encoding"},
		"no base64":            {"GET", getTask + "?encoding=proto&base64=1&message=*", "", nil, 400, invalidArgument, "message query.base64"},
		"malformed query":      {"GET", getTask + "?encoding=proto&base64=1&message=%%%", "", nil, 400, invalidArgument, "query.malformed"},
		"no message in query":  {"GET", getTask + "?encoding=proto", "", nil, 400, invalidArgument, "message query.required"},
		"two messages":         {"GET", getTask + "?encoding=json&message={}&message={}", "", nil, 400, invalidArgument, "message query.repeated"},
		"version in query":     {"GET", getTask + "?encoding=json&message={}&connect=v2", "", nil, 400, invalidArgument, "connect protocol.version"},
		"body with a query":    {"GET", getTask + "?encoding=json&message={}", "{}", nil, 400, invalidArgument, "body.none"},
		"version":              {"POST", createTask, "{}", []string{"Content-Type", json, "Connect-Protocol-Version", "2"}, 400, invalidArgument, "Connect-Protocol-Version protocol.version"},
		"get what writes":      {"GET", createTask + "?encoding=json&message={}", "", nil, 405, "METHOD_NOT_ALLOWED", ""},
		"get a stream":         {"GET", watchProject + "?encoding=json&message={}", "", nil, 405, "METHOD_NOT_ALLOWED", ""},
		"put":                  {"PUT", createTask, "{}", []string{"Content-Type", json}, 405, "METHOD_NOT_ALLOWED", ""},
		"put gRPC":             {"PUT", createTask, "", []string{"Content-Type", "application/grpc"}, 405, "METHOD_NOT_ALLOWED", ""},
		"two timeouts":         {"POST", createTask, "{}", []string{"Content-Type", json, "Connect-Timeout-Ms", "1000", "Connect-Timeout-Ms", "2000"}, 400, invalidArgument, "Connect-Timeout-Ms header.repeated"},
		"two media types":      {"POST", createTask, "{}", []string{"Content-Type", json, "Content-Type", "application/proto"}, 400, invalidArgument, "Content-Type header.repeated"},
		"two keys":             {"POST", createTask, "{}", []string{"Content-Type", json, "Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, invalidArgument, "Idempotency-Key header.repeated"},
		"two tokens":           {"POST", createTask, "{}", []string{"Content-Type", json, "Authorization", "Bearer x"}, 400, invalidArgument, "Authorization header.repeated"},
		"unknown service":      {"POST", "/x.Y/Z", "{}", []string{"Content-Type", json, "Connect-Protocol-Version", "1"}, 404, "PATH_UNKNOWN", ""},
	} {
		answer := b.refuse(t, row.method, row.path, []byte(row.body), row.headers...)
		require.Equal(t, row.http, answer.http, name)
		require.Equal(t, row.reason, answer.info.GetReason(), name)
		require.Equal(t, row.rule, answer.rule(), name)
		require.Equal(t, json, answer.header.Get("Content-Type"), name)
		if row.http == 405 {
			require.Equal(t, "POST", answer.header.Get("Allow"), name)
			require.Equal(t, connect.CodeUnimplemented, answer.code, name)
		}
	}
}

// Who speaks frames is answered in frames, whatever else is wrong.
func TestRefusalsAreInTheCallersProtocol(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for name, row := range map[string]struct {
		path, contentType, answered string
		code                        connect.Code
		reason                      string
	}{
		"unknown codec":          {createTask, "application/grpc+foo", "application/grpc+foo", connect.CodeInvalidArgument, mediaType},
		"gRPC-Web as text":       {createTask, "application/grpc-web-text", "application/grpc-web", connect.CodeInvalidArgument, mediaType},
		"gRPC-Web as text+proto": {createTask, "application/grpc-web-text+proto", "application/grpc-web", connect.CodeInvalidArgument, mediaType},
		"a stream to a unary":    {createTask, "application/connect+json", "application/connect+json", connect.CodeInvalidArgument, mediaType},
		"a stream's codec":       {watchProject, "application/connect+foo", "application/connect+foo", connect.CodeInvalidArgument, mediaType},
		"other charset":          {createTask, "application/grpc+json; charset=latin1", "application/grpc+json; charset=latin1", connect.CodeInvalidArgument, mediaType},
		"unknown service":        {"/x.Y/Z", "application/grpc", "application/grpc", connect.CodeNotFound, "PATH_UNKNOWN"},
		"unknown service, web":   {"/x.Y/Z", "application/grpc-web+proto", "application/grpc-web+proto", connect.CodeNotFound, "PATH_UNKNOWN"},
		"unknown method":         {"/braid.workflow.v1.TaskService/None", "application/grpc", "application/grpc", connect.CodeNotFound, "PATH_UNKNOWN"},
	} {
		answer := b.refuse(t, "POST", row.path, frame(0, 0, ""), "Content-Type", row.contentType)
		require.Equal(t, 200, answer.http, name)
		require.Equal(t, row.answered, answer.header.Get("Content-Type"), name)
		require.Equal(t, row.code, answer.code, name)
		require.Equal(t, row.reason, answer.info.GetReason(), name)
	}
}
