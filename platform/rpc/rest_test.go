package rpc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// The body of an error is a promise to clients, so the test holds it whole.
func TestErrorBodyIsExactlyAsPromised(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		return nil, errs.New(errs.Aborted, "ETAG_MISMATCH", "It has changed.").With("etag", "7").WithCause(errors.New("secret cause"))
	}
	answer := b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, nil, rpctest.Header(rpc.CorrelationHeader, "abc-1"))
	require.Equal(t, http.StatusConflict, answer.Status)
	require.JSONEq(t, `{"error":{"code":409,"status":"ABORTED","message":"It has changed.","details":[
		{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"ETAG_MISMATCH","domain":"braid","metadata":{"etag":"7"}},
		{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"abc-1"}],"correlationId":"abc-1"}}`, answer.Text)
	require.Equal(t, "abc-1", answer.Header.Get(rpc.CorrelationHeader))
	require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
	require.NotContains(t, answer.Text, "secret")
}

func TestEveryKindHasItsStatus(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	path := b.path("/tasks/" + id.New().String())
	for kind, want := range map[errs.Kind]struct {
		code       int
		status     string
		retryAfter string
	}{
		errs.Internal:           {500, "INTERNAL", ""},
		errs.InvalidArgument:    {400, "INVALID_ARGUMENT", ""},
		errs.Unauthenticated:    {401, "UNAUTHENTICATED", ""},
		errs.PermissionDenied:   {403, "PERMISSION_DENIED", ""},
		errs.NotFound:           {404, "NOT_FOUND", ""},
		errs.AlreadyExists:      {409, "ALREADY_EXISTS", ""},
		errs.FailedPrecondition: {409, "FAILED_PRECONDITION", ""},
		errs.Aborted:            {409, "ABORTED", ""},
		errs.ResourceExhausted:  {429, "RESOURCE_EXHAUSTED", "1"},
		errs.Unavailable:        {503, "UNAVAILABLE", "1"},
		errs.DeadlineExceeded:   {503, "DEADLINE_EXCEEDED", "1"},
		errs.Canceled:           {499, "CANCELLED", ""},
		errs.Unimplemented:      {501, "UNIMPLEMENTED", ""},
	} {
		b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
			return nil, errs.New(kind, "SOME_REASON", "x")
		}
		answer := b.REST("GET", path, b.token, nil)
		require.Equal(t, want.code, answer.Status)
		require.Equal(t, want.status, answer.Body["error"].(map[string]any)["status"])
		require.Equal(t, want.retryAfter, answer.Header.Get("Retry-After"), want.status)
	}
	b.tasks.answer = func(context.Context, proto.Message) (*workflowv1.Task, error) {
		return nil, errs.New(errs.ResourceExhausted, "RATE_LIMITED", "x").WithRetryAfter(1500 * time.Millisecond)
	}
	answer := b.REST("GET", path, b.token, nil)
	require.Equal(t, "2", answer.Header.Get("Retry-After"), "rounded up")
	require.Contains(t, answer.Text, `google.rpc.RetryInfo`)
}

// What is wrong with a body is told by its path, in the caller's spelling.
func TestBodyIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for body, want := range map[string][]string{
		`{"title":"x","extra":1}`:                       {"extra"},
		`{"title":5}`:                                   {"title"},
		`{"title":"x","labels":["a",5,"b",null]}`:       {"labels[1]", "labels[3]"},
		`{"title":"x","labels":"a"}`:                    {"labels"},
		`{"title":"x","priority":"HIGHEST"}`:            {"priority"},
		`{"title":"x","dueTime":"tomorrow"}`:            {"dueTime"},
		`{"title":"x","dueTime":{"seconds":1}}`:         {"dueTime"},
		`{"title":5,"labels":[1],"other":{}}`:           {"labels[0]", "other", "title"},
		`{"title":""}`:                                  {"title"},
		`{"title":"` + strings.Repeat("é", 201) + `"}`:  {"title"},
		`{"title":"a\u0000b"}`:                          {"title"},
		`{"title":"x","labels":["ok","a\u0000"]}`:       {"labels[1]"},
		"{\"title\":\"\xff\"}":                          {"title"},
		"{\"title\":\"a\x00b\"}":                        {"title"},
		"{\"title\":\"x\",\"labels\":[\"a\",\"\xff\"]}": {"labels[1]"},
		`{"title":"x","dueTime":null,"due_time":null}`:  {"dueTime", "due_time"},
		`{"title":"x","projectId":"p"}`:                 {"projectId"},
		`{"title":"\ud800"}`:                            {"title"},
		`{"title":"x"} {}`:                              {""},
		`{"title":"x"}}`:                                {""},
		`{"title":"x","title":"y"}`:                     {"title"},
		`{"title":"x"`:                                  {""},
		`[]`:                                            {""},
		`null`:                                          {""},
		`"x"`:                                           {""},
		` `:                                             {""},
		strings.Repeat("[", 100_000):                    {""},
		`{"title":` + strings.Repeat("[", 100_000):      {""},
	} {
		answer := b.REST("POST", b.newTasks(), b.token, body)
		shown := body[:min(len(body), 60)]
		require.Equal(t, http.StatusBadRequest, answer.Status, shown+answer.Text)
		require.Equal(t, "INVALID_ARGUMENT", answer.Reason(), shown)
		require.Equal(t, want, answer.Fields(), shown)
	}
	// Well-formed, and only too deep.
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	answer := b.REST("POST", b.newTasks(), b.token, `{"title":"x","unknown":`+deep+`}`)
	require.Equal(t, []string{""}, answer.Fields())
	require.Contains(t, answer.Text, "json.depth")
	require.Contains(t, answer.Text, "nested")
	answer = b.REST("POST", b.newTasks(), b.token, `{"title":"x","unknown":"\"`+strings.Repeat("[", 100_000)+`"}`)
	require.Equal(t, []string{"unknown"}, answer.Fields(), "brackets in a text are no levels")
	// The same in a body that fills one field: told relative to what was sent.
	for body, want := range map[string][]string{
		`{"title":5}`:            {"title"},
		`{"nothing":1}`:          {"nothing"},
		`{"number":99999999999}`: {"number"},
		`{"number":"x"}`:         {"number"},
		`{"assigneeId":"ada"}`:   {"assigneeId"},
		`{"title":"a\u0000"}`:    {"title"},
	} {
		answer := b.REST("PATCH", b.path("/tasks/"+id.New().String()), b.token, body)
		requireOne(t, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
		require.Equal(t, want, answer.Fields(), body)
	}
}

// To explain a wrong body is slow, and anybody may send one: the work is bounded.
func TestExplainingIsBounded(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	answer := b.REST("POST", b.newTasks(), b.token, `{"labels":[`+strings.Repeat(`"",`, 300_000)+`5]}`)
	requireOne(t, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
	require.Equal(t, []string{""}, answer.Fields(), "refused without a look at everything")
	answer = b.REST("POST", b.newTasks(), b.token, `{"labels":[`+strings.Repeat(`1,`, 1000)+`5]}`)
	require.Len(t, answer.Fields(), 20)
}

func TestQueryIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	list := b.newTasks()
	_, seen := b.seen()
	for _, size := range []string{"2147483647", "2147483648", "99999999999999999999999"} {
		answer := b.REST("GET", list+"?pageSize="+size, b.token, nil)
		require.Equal(t, http.StatusOK, answer.Status, size)
	}
	answer := b.REST("GET", list+"?pageSize=5&filter=a%20b&orderBy=number", b.token, nil)
	require.Equal(t, http.StatusOK, answer.Status, answer.Text)
	request := (*seen).(*workflowv1.ListTasksRequest)
	require.Equal(t, int32(5), request.GetPageSize())
	require.Equal(t, "a b", request.GetFilter())

	b.forbidden(t)
	for query, want := range map[string]string{
		"size=5":                "size",
		"pageSize=many":         "pageSize",
		"pageSize=-99999999999": "pageSize",
		"pageSize=-1":           "pageSize",
		"pageSize=1&pageSize=2": "pageSize",
		"filter=%ff":            "filter",
		"filter=%00":            "filter",
		"filter.x=1":            "filter.x",
		"%zz":                   "",
	} {
		answer := b.REST("GET", list+"?"+query, b.token, nil)
		requireOne(t, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
		require.Equal(t, []string{want}, answer.Fields(), query)
	}
	answer = b.REST("GET", b.path("/tasks/%ff"), b.token, nil)
	requireOne(t, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
}

func TestUpdateMaskIsTheFieldsPresent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	path := b.path("/tasks/" + id.New().String())
	_, seen := b.seen()
	for _, sent := range []struct {
		query, body string
		want        []string
	}{
		{"", `{"title":"x","etag":"1"}`, []string{"etag", "title"}},
		{"", `{"dueTime":null,"assigneeId":""}`, []string{"assignee_id", "due_time"}},
		{"", `{"labels":[]}`, []string{"labels"}},
		{"?updateMask=dueTime,title", `{"title":"x","etag":"1"}`, []string{"due_time", "title"}},
		{"?updateMask=title", `{}`, []string{"title"}},
	} {
		answer := b.REST("PATCH", path+sent.query, b.token, sent.body)
		require.Equal(t, http.StatusOK, answer.Status, answer.Text)
		require.ElementsMatch(t, sent.want, (*seen).(*workflowv1.UpdateTaskRequest).GetUpdateMask().GetPaths(), sent.body)
	}
	b.forbidden(t)
	requireOne(t, b.REST("PATCH", path+"?mask=title", b.token, `{"title":"x"}`), http.StatusBadRequest, "INVALID_ARGUMENT")
	requireOne(t, b.REST("PATCH", path, b.token, nil), http.StatusBadRequest, "INVALID_ARGUMENT")
}

func TestHTTPItselfIsHeldTo(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{"title":"`+strings.Repeat("x", rpc.MaxBody)+`"}`), 413, "BODY_TOO_LARGE")
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `title=x`, rpctest.Header("Content-Type", "application/x-www-form-urlencoded")), 415, "MEDIA_TYPE_UNSUPPORTED")
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{}`, rpctest.Header("Content-Type", "")), 415, "MEDIA_TYPE_UNSUPPORTED")
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{}`, rpctest.Header("Content-Type", "application/json; charset=latin1")), 415, "MEDIA_TYPE_UNSUPPORTED")
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{}`, rpctest.Header("Content-Encoding", "gzip")), 415, "MEDIA_TYPE_UNSUPPORTED")
	requireOne(t, b.REST("GET", "/api/v1/organizations%2f"+b.organization.String()+"/tasks/"+id.New().String(), b.token, nil), 404, "PATH_UNKNOWN")
	requireOne(t, b.REST("GET", "/api/v1/nothing", b.token, nil), 404, "PATH_UNKNOWN")
	requireOne(t, b.REST("GET", b.path("/tasks/"+id.New().String()), b.token, `{"title":"x"}`), 400, "INVALID_ARGUMENT")
	requireOne(t, b.REST("GET", "/", "", nil), 404, "PATH_UNKNOWN")
	answer := b.REST("PUT", b.newTasks(), b.token, `{}`)
	requireOne(t, answer, 405, "METHOD_NOT_ALLOWED")
	require.Equal(t, "GET, POST", answer.Header.Get("Allow"))
	requireOne(t, b.REST("POST", b.newTasks(), b.token, `{}`, rpctest.Header("X-HTTP-Method-Override", "GET")), 400, "INVALID_ARGUMENT")

	// Of a header that may be there once, nobody can tell which of two is meant.
	for name, value := range map[string]string{"Idempotency-Key": "b", "Authorization": "Bearer other", "Content-Type": "text/plain"} {
		again := func(request *http.Request) { request.Header.Add(name, value) }
		answer := b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.IdempotencyKey("a"), again)
		requireOne(t, answer, 400, "INVALID_ARGUMENT")
		require.Equal(t, []string{name}, answer.Fields())
	}

	// A body of unknown length is cut off at the same size.
	request, err := http.NewRequestWithContext(t.Context(), "POST", b.URL+b.newTasks(), struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", rpc.MaxBody+1))})
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := b.Client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 413, response.StatusCode)

	_, seen := b.seen()
	answer = b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.Header("Content-Type", "application/json; charset=utf-8"))
	require.Equal(t, 200, answer.Status, answer.Text)
	require.Equal(t, "x", (*seen).(*workflowv1.CreateTaskRequest).GetTitle())
	require.Contains(t, answer.Body, "description", "fields without a value are written")
}
