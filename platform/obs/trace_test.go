package obs

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/clock"
)

// startCollector returns a collector's address, with a path, and the spans it has been sent.
func startCollector(t *testing.T) (endpoint string, names <-chan string) {
	t.Helper()
	received := make(chan string, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer w.WriteHeader(http.StatusOK)
		if r.URL.Path != "/v1/traces" || r.Header.Get("X-Key") != "k=1" {
			received <- "wrong request: " + r.URL.Path
			return
		}
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			received <- err.Error()
			return
		}
		body, err := io.ReadAll(unpacked)
		request := &collector.ExportTraceServiceRequest{}
		if err = errors.Join(err, proto.Unmarshal(body, request)); err != nil {
			received <- err.Error()
			return
		}
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					received <- span.GetName()
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, received
}

func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	endpoint, names := startCollector(t)
	provider, shutdown, err := newTracerProvider(t.Context(),
		TracingConfig{Endpoint: endpoint, SampleRatio: 1, Headers: []string{"X-Key=k=1"}}, Build{Version: "v1"})
	require.NoError(t, err)
	_, span := provider.Tracer("test").Start(t.Context(), "create task")
	span.End()
	require.NoError(t, shutdown(t.Context()))
	require.Equal(t, "create task", <-names)
	http.DefaultClient.CloseIdleConnections()
}

func TestCallersFlagDoesNotDecideSampling(t *testing.T) {
	t.Parallel()
	provider, shutdown, err := newTracerProvider(t.Context(),
		TracingConfig{Endpoint: "http://127.0.0.1:1", SampleRatio: 0}, Build{})
	require.NoError(t, err)
	remote := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	ctx, span := provider.Tracer("test").Start(trace.ContextWithRemoteSpanContext(t.Context(), remote), "read")
	defer span.End()
	require.False(t, span.SpanContext().IsSampled())
	require.Equal(t, remote.TraceID(), trace.SpanContextFromContext(ctx).TraceID(), "the trace goes on all the same")
	require.NoError(t, shutdown(t.Context()))
}

func TestDeadCollectorHoldsNothingUp(t *testing.T) {
	t.Parallel()
	provider, shutdown, err := newTracerProvider(t.Context(),
		TracingConfig{Endpoint: "http://127.0.0.1:1", SampleRatio: 1}, Build{})
	require.NoError(t, err)
	tracer := provider.Tracer("test")
	started := time.Now()
	for range 3 * spanQueueSize {
		_, span := tracer.Start(t.Context(), "read")
		span.End()
	}
	require.Less(t, time.Since(started), 3*time.Second, "full queues drop")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_ = shutdown(ctx) // whether the loss is reported depends on which batch was under way
	require.Less(t, time.Since(started), 6*time.Second)
}

func TestWithoutEndpointContextStillTravels(t *testing.T) {
	t.Parallel()
	provider, shutdown, err := newTracerProvider(t.Context(), TracingConfig{}, Build{})
	require.NoError(t, err)
	remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true})
	ctx, span := provider.Tracer("test").Start(trace.ContextWithRemoteSpanContext(t.Context(), remote), "read")
	defer span.End()
	require.Equal(t, remote.TraceID(), trace.SpanContextFromContext(ctx).TraceID())
	require.False(t, span.IsRecording())
	require.NoError(t, shutdown(t.Context()))
}

// It changes what belongs to the whole process, so nothing may run beside it.
func TestSetupTracingInstallsThePropagator(t *testing.T) {
	before := otel.GetTextMapPropagator()
	t.Cleanup(func() { otel.SetTextMapPropagator(before) })
	shutdown, err := SetupTracing(t.Context(), TracingConfig{}, Build{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	incoming := propagation.MapCarrier{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage": "a=b",
	}
	ctx, span := otel.Tracer("test").Start(otel.GetTextMapPropagator().Extract(t.Context(), incoming), "read")
	span.End()
	outgoing := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, outgoing)
	require.Contains(t, outgoing["traceparent"], "0af7651916cd43dd8448eb211c80319c")
	require.NotContains(t, outgoing, "baggage")
	require.NoError(t, shutdown(t.Context()))
}

func TestTracingConfigIsChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config TracingConfig
		want   string
	}{
		"good":     {TracingConfig{Endpoint: "https://collector:4318", SampleRatio: 0.5, Headers: []string{"a=b"}}, ""},
		"endpoint": {TracingConfig{Endpoint: "collector:4318"}, "endpoint"},
		"ratio":    {TracingConfig{SampleRatio: 1.5}, "sample_ratio"},
		"headers":  {TracingConfig{Headers: []string{"canary"}}, "headers"},
	} {
		got := ""
		test.config.Validate(func(key, reason string) {
			got += key
			require.NotContains(t, reason, "canary")
		})
		require.Equal(t, test.want, got, name)
	}
	require.Equal(t, "http://c:1/v1/traces", tracesURL("http://c:1/"))
	require.Equal(t, "http://c:1/custom", tracesURL("http://c:1/custom"))
}

func TestComplaintsAreRare(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	complaints := &rateLimitedLog{logger: slog.New(slog.NewTextHandler(&out, nil)), clock: now}
	for range 100 {
		complaints.handle(errors.New("refused"))
	}
	require.Equal(t, 1, bytes.Count(out.Bytes(), []byte("refused")))
	now.Advance(complainAtMost)
	complaints.handle(errors.New("refused"))
	require.Contains(t, out.String(), "skipped=99")
}
