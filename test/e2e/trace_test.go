package e2e_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/test/client"
)

// collector takes the spans that a deployment sends, as an OTLP store would.
type collector struct {
	server *httptest.Server
	mu     sync.Mutex
	spans  map[string][]*tracev1.Span
}

func newCollector(t *testing.T) *collector {
	c := &collector{spans: map[string][]*tracev1.Span{}}
	c.server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.server.Close)
	return c
}

// environment has spans sent here at once. Of the traces of the suite only those are kept whose id the test chose.
func (c *collector) environment() []string {
	return []string{"BRAID_TRACE_ENDPOINT=" + c.server.URL, "BRAID_TRACE_SAMPLE_RATIO=0.0001", "OTEL_BSP_SCHEDULE_DELAY=100"}
}

func (c *collector) take(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	encoded, err := io.ReadAll(body)
	exported := &collectorv1.ExportTraceServiceRequest{}
	if err != nil || proto.Unmarshal(encoded, exported) != nil {
		http.Error(w, "can't be read", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range exported.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				traceID := hex.EncodeToString(span.GetTraceId())
				c.spans[traceID] = append(c.spans[traceID], span)
			}
		}
	}
}

func (c *collector) of(traceID string) []*tracev1.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*tracev1.Span(nil), c.spans[traceID]...)
}

// testTrace follows one request from HTTP over the outbox and the broker to every consumer and the mail.
func testTrace(t *testing.T, s *suite) {
	at := s.place(t)
	ben := s.signUp(t, "Ben")
	s.join(t, at.organization, at.owner, ben, "member")
	task, _ := s.task(t, s.project(t, at.organization, at.owner, "TRC"), at.owner, "Traced")
	// The end of the id decides whether it is recorded.
	const traceID, caller = "5f0c8e3aa4b5c6d70000000000000001", "00f067aa0ba902b7"
	s.must(t, at.owner, http.MethodPost, task+":assign", map[string]any{"assigneeId": ben.ID}, client.WithHeader("Traceparent", "00-"+traceID+"-"+caller+"-01"))
	// Each hangs on what caused it.
	parents := map[string]string{
		"braid.workflow.v1.TaskService/AssignTask":          "POST /api/v1/organizations/{organization_id}/tasks/{task_id}:assign",
		"send workflow.events":                              "braid.workflow.v1.TaskService/AssignTask",
		"audit process workflow.task.assigned":              "send workflow.events",
		"notification process workflow.task.assigned":       "send workflow.events",
		"job notification.send_mail":                        "notification process workflow.task.assigned",
		"send mail":                                         "job notification.send_mail",
		"send notification.events":                          "job notification.send_mail",
		"audit process notification.notification.delivered": "send notification.events",
	}
	s.await(t, func() error {
		var names []string
		for _, span := range s.collector.of(traceID) {
			names = append(names, span.GetName())
		}
		return containsAll(names, append(slices.Collect(maps.Keys(parents)), slices.Collect(maps.Values(parents))...)...)
	})
	known, named := map[string]bool{caller: true}, map[string]*tracev1.Span{}
	for _, span := range s.collector.of(traceID) {
		known[hex.EncodeToString(span.GetSpanId())] = true
		named[span.GetName()] = span
	}
	for child, parent := range parents {
		require.Equal(t, named[parent].GetSpanId(), named[child].GetParentSpanId(), "%s does not hang on %s", child, parent)
	}
	for _, span := range s.collector.of(traceID) {
		require.True(t, known[hex.EncodeToString(span.GetParentSpanId())], "%s hangs in the air", span.GetName())
		for _, attribute := range span.GetAttributes() {
			require.NotContains(t, fmt.Sprint(attribute.GetValue()), at.owner.Token)
		}
	}
}
