package outbox_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
)

// It is not parallel: the tracer provider is the process's, and other tests must not see this one.
func TestSendingIsASpanBetweenWorkAndConsumers(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample()))))
	t.Cleanup(func() { otel.SetTracerProvider(noop.NewTracerProvider()) })
	bundle := setup(t)
	key := id.New()
	appendIn := func(flags trace.TraceFlags, text string) trace.SpanContext {
		work := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(id.New()), SpanID: trace.SpanID{3}, TraceFlags: flags})
		require.NoError(t, bundle.DB.InTx(trace.ContextWithSpanContext(t.Context(), work), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			return outbox.Append(ctx, tx, clock.System{}, event(key, text))
		}))
		return work
	}
	sampled := appendIn(trace.FlagsSampled, "sampled")
	other := appendIn(0, "not sampled")
	commit(t, bundle.DB, event(key, "no trace"))
	bundle.relay(t, bundle.DB, nil)
	bundle.requireDrained(t)
	events := bundle.published(t)
	require.Len(t, events, 3)

	require.Eventually(t, func() bool { return len(exporter.GetSpans()) == 1 }, patience, tick)
	span := exporter.GetSpans()[0]
	require.Equal(t, "send thing.events", span.Name)
	require.Equal(t, trace.SpanKindProducer, span.SpanKind)
	require.Equal(t, codes.Unset, span.Status.Code)
	require.Equal(t, sampled.TraceID(), span.SpanContext.TraceID())
	require.Equal(t, sampled.SpanID(), span.Parent.SpanID())
	told := map[string]string{}
	for _, attribute := range span.Attributes {
		told[string(attribute.Key)] = attribute.Value.String()
	}
	require.Subset(t, told, map[string]string{
		"messaging.system": "kafka", "messaging.operation.type": "send", "messaging.destination.name": bus.EventTopic(service),
		"messaging.message.id": events[0].ID.String(), "messaging.kafka.message.key": key.String(), "cloudevents.event_type": events[0].Type,
	})
	require.Equal(t, "00-"+sampled.TraceID().String()+"-"+span.SpanContext.SpanID().String()+"-01", events[0].TraceParent, "consumers hang on it")
	require.Equal(t, "00-"+other.TraceID().String()+"-"+other.SpanID().String()+"-00", events[1].TraceParent)
	require.Empty(t, events[2].TraceParent)
}
