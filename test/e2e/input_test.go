package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/test/client"
)

// badInput is one row of the table: a request, and how it is refused.
type badInput struct {
	name, method, path string
	body               string
	options            []client.Option
	status             int
	reason             string
	// field and rule are in the details when they are not empty.
	field, rule string
}

func testInput(t *testing.T, s *suite) {
	at := s.place(t)
	project := s.project(t, at.organization, at.owner, "INP")
	task, _ := s.task(t, project, at.owner, "Target")
	for _, row := range badInputs(at.organization, project, task) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var body any
			if row.body != "" {
				body = []byte(row.body)
			}
			answer := s.refused(t, row.status, row.reason, at.owner, row.method, row.path, body, row.options...)
			require.Equal(t, "application/json", answer.Header.Get("Content-Type"))
			if row.rule != "" {
				require.Contains(t, violations(answer), row.field+" "+row.rule, "%s", answer.Raw)
			}
			for _, inner := range []string{"pgx", "SQLSTATE", "goroutine", "proto:", ".go:", "syntax error at or near"} {
				require.NotContains(t, string(answer.Raw), inner)
			}
		})
	}
	t.Run("TextComesBackAsItWas", func(t *testing.T) {
		t.Parallel()
		testText(t, s, at, project)
	})
	t.Run("RawHTTP", func(t *testing.T) {
		t.Parallel()
		testRawHTTP(t, s, at)
	})
	t.Run("RPC", func(t *testing.T) {
		t.Parallel()
		testRPCInput(t, s, at)
	})
	t.Run("Headers", func(t *testing.T) {
		t.Parallel()
		testHeaders(t, s, at)
	})
}

func badInputs(organization, project, task string) []badInput {
	const invalid = "INVALID_ARGUMENT"
	missing := id.New().String()
	post := func(name, body, field, rule string) badInput {
		return badInput{name: name, method: http.MethodPost, path: project + "/tasks", body: body, status: 400, reason: invalid, field: field, rule: rule}
	}
	rows := []badInput{
		post("malformed JSON", `{"title": "x"`, "", "json.malformed"),
		post("two documents", `{"title":"x"}{"title":"y"}`, "", "json.malformed"),
		post("not an object", `["x"]`, "", "json.type"),
		post("wrong type", `{"title":7}`, "title", "json.type"),
		post("wrong type in a list", `{"title":"x","labels":["a",1]}`, "labels[1]", "json.type"),
		post("unknown field", `{"title":"x","shade":"red"}`, "shade", "json.unknown_field"),
		post("unknown enum value", `{"title":"x","priority":"SOON"}`, "priority", "json.type"),
		post("enum number out of range", `{"title":"x","priority":99}`, "priority", "enum.defined_only"),
		post("no time", `{"title":"x","dueTime":"tomorrow"}`, "dueTime", "json.type"),
		post("empty", `{"title":""}`, "title", "string.min_len"),
		post("missing", `{}`, "title", "string.min_len"),
		post("a second line", `{"title":"a\nb"}`, "title", "string.one_line"),
		post("another direction", `{"title":"\u202etxt.exe"}`, "title", "string.one_line"),
		post("control characters", `{"title":"x","description":"\u001b[2J"}`, "description", "string.lines"),
		post("too long", `{"title":"`+strings.Repeat("x", 201)+`"}`, "title", "string.max_len"),
		post("too many", `{"title":"x","labels":[`+strings.Repeat(`"a",`, 20)+`"a"]}`, "labels", "repeated.max_items"),
		post("invalid UTF-8", "{\"title\":\"\xff\xfe\"}", "title", "json.utf8"),
		post("NUL", `{"title":"a\u0000b"}`, "title", "string.no_nul"),
		post("lone surrogate", `{"title":"\ud800"}`, "title", "json.type"),
		post("no id", `{"title":"x","assigneeId":"me"}`, "assigneeId", "string.uuid"),
		post("deep nesting", strings.Repeat(`{"title":`, 20000)+strings.Repeat("}", 20000), "", "json.depth"),
		post("deep nesting of what is unknown", `{"title":"x","unknown":`+strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"}", "", "json.depth"),
		{name: "only white space", method: "POST", path: project + "/tasks", body: " \n\t ", status: 400, reason: invalid},
		{name: "repeated field", method: "POST", path: project + "/tasks", body: `{"title":"a","title":"b"}`, status: 400, reason: invalid},
		{name: "id in path", method: "GET", path: organization + "/tasks/not-an-id", status: 400, reason: invalid, field: "taskId", rule: "string.uuid"},
		{name: "NUL in path", method: "GET", path: organization + "/tasks/%00", status: 400, reason: invalid},
		{name: "invalid UTF-8 in path", method: "GET", path: organization + "/tasks/%ff", status: 400, reason: invalid},
		{name: "unknown parameter", method: "GET", path: project + "/tasks?shade=red", status: 400, reason: invalid, field: "shade", rule: "query.unknown_parameter"},
		{name: "parameter of the wrong type", method: "GET", path: project + "/tasks?pageSize=many", status: 400, reason: invalid, field: "pageSize", rule: "query.type"},
		{name: "parameter out of range", method: "GET", path: project + "/tasks?pageSize=-99999999999", status: 400, reason: invalid, field: "pageSize", rule: "query.type"},
		{name: "parameter twice", method: "GET", path: project + "/tasks?pageSize=1&pageSize=2", status: 400, reason: invalid, field: "pageSize", rule: "query.repeated"},
		{name: "NUL in parameter", method: "GET", path: project + "/tasks?filter=%00", status: 400, reason: invalid, field: "filter", rule: "query.utf8"},
		{name: "malformed query", method: "GET", path: project + "/tasks?filter=%zz", status: 400, reason: invalid},
		{name: "long filter", method: "GET", path: project + "/tasks?filter=" + strings.Repeat("a", 3000), status: 400, reason: invalid, field: "filter", rule: "string.max_len"},
		{name: "project key", method: "POST", path: organization + "/projects", body: `{"key":"web","displayName":"x"}`, status: 400, reason: invalid, field: "key", rule: "string.pattern"},
		{name: "invited address", method: "POST", path: organization + "/invitations", body: `{"email":"nobody","roleId":"member"}`, status: 400, reason: invalid, field: "email", rule: "string.email"},
		{name: "invited address that no mail reaches", method: "POST", path: organization + "/invitations", body: `{"email":"two..dots@example.com","roleId":"member"}`, status: 400, reason: invalid, field: "email", rule: "string.email"},
		{name: "registered address that no mail reaches", method: "POST", path: "/api/v1/auth/register", body: `{"email":"trail.@example.com","password":"correct horse battery","displayName":"x"}`, status: 400, reason: invalid, field: "email", rule: "string.email"},
		{name: "slug", method: "PATCH", path: organization, body: `{"slug":"-"}`, status: 400, reason: invalid, field: "slug", rule: "string.pattern"},
		{name: "body too large", method: "POST", path: project + "/tasks", body: `{"title":"` + strings.Repeat("x", 1<<20) + `"}`, status: 413, reason: "BODY_TOO_LARGE"},
		{name: "form", method: "POST", path: project + "/tasks", body: `title=x`, status: 415, reason: "MEDIA_TYPE_UNSUPPORTED", options: []client.Option{client.WithHeader("Content-Type", "application/x-www-form-urlencoded")}},
		{name: "no media type", method: "POST", path: project + "/tasks", body: `{"title":"x"}`, status: 415, reason: "MEDIA_TYPE_UNSUPPORTED", options: []client.Option{client.WithHeader("Content-Type", "")}},
		{name: "XML", method: "PATCH", path: task, body: `<title/>`, status: 415, reason: "MEDIA_TYPE_UNSUPPORTED", options: []client.Option{client.WithHeader("Content-Type", "text/xml")}},
		{name: "two keys", method: "POST", path: project + "/tasks", body: `{"title":"x"}`, status: 400, reason: invalid, field: "Idempotency-Key", rule: "header.repeated", options: []client.Option{onceMore("Idempotency-Key", "a"), onceMore("Idempotency-Key", "b")}},
		{name: "two tokens", method: "GET", path: task, status: 400, reason: invalid, field: "Authorization", rule: "header.repeated", options: []client.Option{onceMore("Authorization", "Bearer other")}},
		{name: "two media types", method: "POST", path: project + "/tasks", body: `{"title":"x"}`, status: 400, reason: invalid, field: "Content-Type", rule: "header.repeated", options: []client.Option{onceMore("Content-Type", "text/plain")}},
		{name: "unknown path", method: "GET", path: "/api/v1/nothing", status: 404, reason: "PATH_UNKNOWN"},
		{name: "unknown verb", method: "POST", path: task + ":explode", body: `{}`, status: 404, reason: "PATH_UNKNOWN"},
		{name: "path above", method: "GET", path: "/api/v1/organizations/../../metrics", status: 404, reason: "PATH_UNKNOWN"},
		{name: "wrong method", method: "PUT", path: task, body: `{}`, status: 405, reason: "METHOD_NOT_ALLOWED"},
		{name: "wrong method on a verb", method: "GET", path: task + ":transition", status: 405, reason: "METHOD_NOT_ALLOWED"},
		{name: "missing organization", method: "GET", path: "/api/v1/organizations/" + missing, status: 404, reason: "NOT_FOUND"},
		{name: "missing task", method: "GET", path: organization + "/tasks/" + missing, status: 404, reason: "NOT_FOUND"},
	}
	return rows
}

// violations lists "field rule" of an error's BadRequest.
func violations(answer client.Answer) []string {
	var found []string
	details, _ := answer.Value("error.details").([]any)
	for _, detail := range details {
		fields, _ := detail.(map[string]any)
		list, _ := fields["fieldViolations"].([]any)
		for _, item := range list {
			violation, _ := item.(map[string]any)
			field, _ := violation["field"].(string)
			rule, _ := violation["reason"].(string)
			found = append(found, field+" "+rule)
		}
	}
	return found
}

// texts must come back as they went in, through every store, stream and list; with lines where there may be some.
var texts = []string{
	`Robert'); DROP TABLE task;--`, `" OR ""="`, `<script>alert(1)</script>`, `{{7*7}} ${7*7} %s %d %n`, `C:\new\table\0`, `a/b?c=d&e=f#g`,
	"quote\"backslash\\", "\u200fright to left\u200f", "e\u0301 is not é", "👩‍👩‍👧‍👦 🇪🇺", "ﷺ𝕋𝕖𝕤𝕥", "\ufeff\u200b\u00ad", "ÅÄÖ ß ñ 你好 こんにちは",
	`null`, `\u0000`, `%00`, "$1 ? :name @x", `{"json":true}`,
}

const lines = "tab\tnewline\nreturn\r\n\u2028\u2029."

func testText(t *testing.T, s *suite, at place, project string) {
	for i, text := range texts {
		made := s.must(t, at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": "x" + text + "x", "description": text + lines})
		path := at.organization + "/tasks/" + made.Text("id")
		comment := s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "x" + text + lines + "x"})
		require.Equal(t, "x"+text+lines+"x", comment.Text("body"))
		read := s.get(t, at.owner, path)
		require.Equal(t, "x"+text+"x", read.Text("title"))
		require.Equal(t, text+lines, read.Text("description"))
		require.Equal(t, "x"+text+lines+"x", s.get(t, at.owner, path+"/comments").List("comments")[0]["body"])
		if strings.ContainsAny(text, "\"\\") {
			continue // The filter's own quoting is not this test's.
		}
		filter := fmt.Sprintf("title:\"%s\"", "x"+text+"x")
		found := s.do(t, at.owner, http.MethodGet, project+"/tasks?filter="+url.QueryEscape(filter), nil)
		require.Equal(t, http.StatusOK, found.Status, "text %d: %s", i, found.Raw)
		require.Equal(t, []string{made.Text("id")}, textsOf(found.List("tasks"), "id"), "text %d", i)
	}
}

// testRawHTTP sends what no library would: the answer is an error or a closed door, never a hang.
func testRawHTTP(t *testing.T, s *suite, at place) {
	address, err := url.Parse(s.URL)
	require.NoError(t, err)
	authorization := "Authorization: Bearer " + at.owner.Token + "\r\n"
	for name, test := range map[string]struct {
		request string
		status  int
	}{
		"huge header":        {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"header too long":    {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		"header long enough": {"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 24<<10) + "\r\n\r\n", http.StatusOK},
		"no host":            {"GET /healthz HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		"two lengths":        {"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", http.StatusBadRequest},
		"length and chunked": {"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http.StatusBadRequest},
		"announced too long": {"POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\n" + authorization + "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n", http.StatusRequestEntityTooLarge},
		"control in path":    {"GET /api/v1/\x01 HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusBadRequest},
		"no HTTP":            {"\x16\x03\x01 hello, is this the right port?\r\n\r\n", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := net.Dial("tcp", address.Host)
			require.NoError(t, err)
			defer func() { _ = connection.Close() }()
			require.NoError(t, connection.SetDeadline(time.Now().Add(client.EffectTimeout)))
			// The server may stop reading before the end.
			_, _ = connection.Write([]byte(test.request))
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
			require.Equal(t, test.status, response.StatusCode)
			_ = response.Body.Close()
		})
	}
}

func testHeaders(t *testing.T, s *suite, at place) {
	answer := s.get(t, at.owner, "/api/v1/me")
	for name, value := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		require.Equal(t, value, answer.Header.Get(name))
	}
	for _, name := range []string{"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Content-Security-Policy"} {
		require.NotEmpty(t, answer.Header.Get(name), name)
	}
	for _, given := range []string{"a b", strings.Repeat("x", 500), "<script>", "ä"} {
		answer := s.do(t, at.owner, http.MethodGet, "/api/v1/me", nil, client.WithHeader("X-Correlation-Id", given))
		require.Equal(t, http.StatusOK, answer.Status)
		_, err := id.Parse(answer.Header.Get("X-Correlation-Id"))
		require.NoError(t, err, "a correlation id that can't be trusted is replaced")
	}
	// A stranger's Origin is answered without leave to read it.
	foreign := s.do(t, at.owner, http.MethodGet, "/api/v1/me", nil, client.WithHeader("Origin", "https://evil.example"))
	require.Empty(t, foreign.Header.Get("Access-Control-Allow-Origin"))
	// Nobody can say who they are by headers.
	for _, name := range []string{"X-Forwarded-User", "X-User-Id", "X-Braid-User", "X-Forwarded-By"} {
		s.refused(t, http.StatusUnauthorized, "TOKEN_MISSING", nil, http.MethodGet, "/api/v1/me", nil, client.WithHeader(name, at.owner.ID))
	}
}
