package rpc_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/encoding/protowire"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

func newChain(t *testing.T, authenticator rpc.Authenticator, authorizer rpc.Authorizer) *rpc.Chain {
	t.Helper()
	chain, err := rpc.NewChain(rpc.ChainConfig{
		Authenticator: authenticator, Authorizer: authorizer, HashKeyed: func(data []byte) []byte { return data },
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	return chain
}

// requireConnect checks an error as a Connect or gRPC client sees it: the details are the same as over REST.
func requireConnect(t *testing.T, err error, code, reason string) *connect.Error {
	t.Helper()
	var answer *connect.Error
	require.ErrorAs(t, err, &answer)
	require.Equal(t, code, answer.Code().String(), answer.Message())
	info := detail[*errdetails.ErrorInfo](t, answer)
	require.Equal(t, reason, info.GetReason())
	require.Equal(t, rpc.Domain, info.GetDomain())
	require.NotEmpty(t, detail[*errdetails.RequestInfo](t, answer).GetRequestId())
	return answer
}

func detail[Detail any](t *testing.T, answer *connect.Error) Detail {
	t.Helper()
	for _, packed := range answer.Details() {
		value, err := packed.Value()
		require.NoError(t, err)
		if found, ok := value.(Detail); ok {
			return found
		}
	}
	require.Failf(t, "no such detail", "%v", answer)
	var none Detail
	return none
}

// overHTTP2 speaks HTTP/2 without TLS, as gRPC needs.
func (b *bundle) overHTTP2(t *testing.T) connect.HTTPClient {
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestEveryProtocolSaysTheSame(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for name, options := range map[string][]connect.ClientOption{
		"connect":      nil,
		"connect json": {connect.WithProtoJSON()},
		"grpc":         {connect.WithGRPC()},
		"grpc json":    {connect.WithGRPC(), connect.WithProtoJSON()},
		"grpc-web":     {connect.WithGRPCWeb()},
	} {
		client := workflowv1connect.NewTaskServiceClient(b.overHTTP2(t), b.URL, options...)
		_, err := client.GetTask(t.Context(), &workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: id.New().String()})
		requireConnect(t, err, "unauthenticated", "TOKEN_MISSING")
		client = workflowv1connect.NewTaskServiceClient(signed{b.overHTTP2(t), b.token}, b.URL, options...)
		_, err = client.GetTask(t.Context(), &workflowv1.GetTaskRequest{OrganizationId: b.organization.String(), TaskId: "x"})
		answer := requireConnect(t, err, "invalid_argument", "INVALID_ARGUMENT")
		violations := detail[*errdetails.BadRequest](t, answer).GetFieldViolations()
		require.Len(t, violations, 1, name)
		require.Equal(t, "taskId", violations[0].GetField(), name)
		require.Equal(t, "string.uuid", violations[0].GetReason(), name)
	}
}

type signed struct {
	client connect.HTTPClient
	token  string
}

func (s signed) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("Authorization", "Bearer "+s.token)
	return s.client.Do(request)
}

// Connect's JSON is as strict as REST's, and its refusals come from the chain: with details, after authentication.
func TestConnectJSONIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	const procedure = "/braid.workflow.v1.TaskService/CreateTask"
	ids := `"organizationId":"` + b.organization.String() + `","projectId":"` + id.New().String() + `",`
	for body, field := range map[string]string{
		`{` + ids + `"title":"x","extra":1}`:       "extra",
		`{` + ids + `"title":5}`:                   "title",
		`{` + ids + `"title":"x","labels":["",5]}`: "labels[1]",
		`{` + ids + `"title":"x"`:                  "",
		`{` + ids + "\"title\":\"\xff\"}":          "title",
		`{` + ids + `"title":"x","title":"y"}`:     "title",
	} {
		answer := b.REST("POST", procedure, b.token, body)
		require.Equal(t, 400, answer.Status, answer.Text)
		require.Equal(t, "invalid_argument", answer.Body["code"])
		require.Contains(t, answer.Text, `"reason":"INVALID_ARGUMENT"`)
		if field != "" {
			require.Contains(t, answer.Text, `"field":"`+field+`"`, body)
		}
		answer = b.REST("POST", procedure, "", body)
		require.Equal(t, 401, answer.Status, "a stranger is told of nothing but the token")
	}
	answer := b.REST("POST", procedure, b.token, `{"title":"`+strings.Repeat("x", rpc.MaxBody)+`"}`)
	require.Equal(t, 413, answer.Status, answer.Text)
	require.Contains(t, answer.Text, `"reason":"BODY_TOO_LARGE"`)

	// The codec's verdict travels in the message; nobody else can write one.
	_, seen := b.seen()
	response, err := b.Client.Do(mustRequest(t, b, procedure, ids))
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 200, response.StatusCode, string(body))
	require.Equal(t, "fine", (*seen).(*workflowv1.CreateTaskRequest).GetTitle())
}

// raw sends bytes as they are.
func (b *bundle) raw(t *testing.T, method, procedure string, body []byte, headers ...string) (int, http.Header, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, b.URL+procedure, bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.token)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.Client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(content)
}

// What the libraries would refuse in their own words comes from the chain too.
func TestBinaryIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	const procedure = "/braid.workflow.v1.TaskService/CreateTask"
	text := func(number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), value)
	}
	title := (&workflowv1.CreateTaskRequest{}).ProtoReflect().Descriptor().Fields().ByName("title").Number()
	for name, sent := range map[string]struct {
		body     []byte
		headers  []string
		status   int
		expected []string
	}{
		"invalid UTF-8":    {text(title, "\xff"), nil, 400, []string{`"field":"title"`, `"proto.utf8"`, "INVALID_ARGUMENT"}},
		"cut off":          {text(title, "whole")[:4], nil, 400, []string{"request.malformed", "INVALID_ARGUMENT"}},
		"packed too large": {zipped(t, make([]byte, 50*rpc.MaxBody)), []string{"Content-Encoding", "gzip"}, 413, []string{"BODY_TOO_LARGE"}},
		"odd timeout":      {nil, []string{"Connect-Timeout-Ms", "abc"}, 400, []string{`"field":"Connect-Timeout-Ms"`, "INVALID_ARGUMENT"}},
		"long timeout":     {nil, []string{"Connect-Timeout-Ms", "12345678901"}, 400, []string{`"field":"Connect-Timeout-Ms"`}},
	} {
		status, _, answer := b.raw(t, "POST", procedure, sent.body, append([]string{"Content-Type", "application/proto"}, sent.headers...)...)
		require.Equal(t, sent.status, status, "%s: %s", name, answer)
		for _, part := range append(sent.expected, "google.rpc.RequestInfo") {
			require.Contains(t, answer, part, name)
		}
	}
	status, header, answer := b.raw(t, "POST", procedure, []byte("<x/>"), "Content-Type", "text/xml")
	require.Equal(t, 415, status)
	require.Contains(t, answer, "MEDIA_TYPE_UNSUPPORTED")
	require.Equal(t, "application/json", header.Get("Content-Type"))
	status, header, answer = b.raw(t, "PUT", procedure, nil, "Content-Type", "application/proto")
	require.Equal(t, 405, status, answer)
	require.Equal(t, "POST", header.Get("Allow"))
	status, _, answer = b.raw(t, "POST", "/braid.workflow.v1.TaskService/None", nil, "Content-Type", "application/proto")
	require.Equal(t, 404, status, answer)
	require.Contains(t, answer, "PATH_UNKNOWN")
}

func mustRequest(t *testing.T, b *bundle, procedure, ids string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "POST", b.URL+procedure, strings.NewReader(`{`+ids+`"title":"fine"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("Authorization", "Bearer "+b.token)
	return request
}
