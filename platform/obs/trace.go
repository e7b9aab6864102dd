package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/braidhq/braid/platform/clock"
)

// TracingConfig says where spans go. Without an endpoint none are recorded, but trace context still travels through.
type TracingConfig struct {
	Endpoint    string   `config:"endpoint" help:"OTLP/HTTP endpoint for traces, such as http://127.0.0.1:4318; none are recorded without."`
	SampleRatio float64  `config:"sample_ratio" default:"0.01" help:"Share of traces that are recorded, 0 to 1."`
	Headers     []string `config:"headers" secret:"true" help:"Headers for the collector, name=value."`
}

// Validate implements config.Validator.
func (c *TracingConfig) Validate(report func(key, reason string)) {
	if c.Endpoint != "" {
		parsed, err := url.Parse(c.Endpoint)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			report("endpoint", "is not an http:// or https:// address")
		}
	}
	if c.SampleRatio < 0 || c.SampleRatio > 1 {
		report("sample_ratio", "is not between 0 and 1")
	}
	if _, err := splitHeaders(c.Headers); err != nil {
		report("headers", "holds an entry that is not name=value")
	}
}

// The bounds of what waits to be sent. Spans beyond them are dropped: tracing never holds up work.
const (
	spanQueueSize  = 4096
	spanBatchSize  = 512
	exportTimeout  = 5 * time.Second
	complainAtMost = time.Minute
)

// SetupTracing makes the tracer provider and the W3C propagator of the process and installs them, and the handler of
// their errors, as OpenTelemetry's globals, which is where libraries look for them. It doesn't contact the collector.
// Shutdown sends what waits, as long as its context allows.
//
// Only trace context is passed on. Baggage is not: it is whatever a client sent, and would travel into every event.
//
// A caller's own "sampled" flag is not believed, or any client could have everything recorded: the decision depends
// on the trace id and the ratio alone, so that processes with one ratio agree on it.
func SetupTracing(ctx context.Context, config TracingConfig, build Build, logger *slog.Logger) (
	shutdown func(context.Context) error, err error,
) {
	provider, shutdown, err := newTracerProvider(ctx, config, build)
	if err != nil {
		return nil, err
	}
	complaints := &rateLimitedLog{logger: logger, clock: clock.System{}}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(complaints.handle))
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return shutdown, nil
}

func newTracerProvider(ctx context.Context, config TracingConfig, build Build) (
	trace.TracerProvider, func(context.Context) error, error,
) {
	if config.Endpoint == "" {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	headers, err := splitHeaders(config.Headers)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(tracesURL(config.Endpoint)),
		otlptracehttp.WithHeaders(headers),
		otlptracehttp.WithTimeout(exportTimeout),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
	)
	if err != nil {
		return nil, nil, fmt.Errorf("set up trace exporter: %w", err)
	}
	ratio := sdktrace.TraceIDRatioBased(config.SampleRatio)
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(ratio,
			sdktrace.WithRemoteParentSampled(ratio), sdktrace.WithRemoteParentNotSampled(ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "braid"),
			attribute.String("service.version", build.Version),
		)),
		sdktrace.WithBatcher(exporter,
			sdktrace.WithMaxQueueSize(spanQueueSize),
			sdktrace.WithMaxExportBatchSize(spanBatchSize),
			sdktrace.WithExportTimeout(exportTimeout)),
	)
	return provider, provider.Shutdown, nil
}

// tracesURL adds the path of the OTLP specification to an endpoint without one.
func tracesURL(endpoint string) string {
	parsed, err := url.Parse(endpoint)
	if err != nil || strings.Trim(parsed.Path, "/") != "" {
		return endpoint
	}
	return strings.TrimRight(endpoint, "/") + "/v1/traces"
}

func splitHeaders(entries []string) (map[string]string, error) {
	headers := make(map[string]string, len(entries))
	for _, entry := range entries {
		name, value, found := strings.Cut(entry, "=")
		if !found || name == "" {
			return nil, errors.New("read tracing headers: an entry is not name=value")
		}
		headers[name] = value
	}
	return headers, nil
}

// rateLimitedLog keeps a collector that is down from filling the log.
type rateLimitedLog struct {
	logger *slog.Logger
	clock  clock.Clock

	mu      sync.Mutex
	last    time.Time
	skipped int
}

func (l *rateLimitedLog) handle(err error) {
	l.mu.Lock()
	now := l.clock.Now()
	if !l.last.IsZero() && now.Sub(l.last) < complainAtMost {
		l.skipped++
		l.mu.Unlock()
		return
	}
	skipped := l.skipped
	l.last, l.skipped = now, 0
	l.mu.Unlock()
	l.logger.Warn("tracing is in trouble", slog.Any("error", err), slog.Int("skipped", skipped))
}
