package outbox

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// sending is the span of one event's way from the outbox to the broker: a child of the work that caused the event, and
// the parent of what consumers do with it. Names are those of OpenTelemetry's semantic conventions for messaging.
type sending struct {
	// position is the event's among the records of its round.
	position int
	span     trace.Span
}

// isSampled reports whether a traceparent (W3C Trace Context, version 00) says that its trace is recorded. Most say no,
// and those cost nothing more.
func isSampled(traceParent string) bool {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return len(traceParent) == length && strings.IndexByte("13579bdf", traceParent[length-1]) >= 0
}

// startSending puts a span between an event and what caused it. It returns nil when the trace is not recorded here; the
// event then goes on with the context it has.
func (r *Relay) startSending(ctx context.Context, row row, carried *attributes) trace.Span {
	if !isSampled(carried.TraceParent) {
		return nil
	}
	parent := propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": carried.TraceParent, "tracestate": carried.TraceState,
	})
	ctx, span := r.tracer.Start(parent, "send "+r.config.Topic.Name, trace.WithSpanKind(trace.SpanKindProducer))
	if !span.IsRecording() {
		return nil
	}
	span.SetAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.operation.name", "send"),
		attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.destination.name", r.config.Topic.Name),
		attribute.String("messaging.message.id", row.eventID.String()),
		attribute.Int("messaging.message.body.size", len(row.payload)),
		attribute.String("cloudevents.event_type", row.eventType),
	)
	if row.key != nil {
		span.SetAttributes(attribute.String("messaging.kafka.message.key", row.key.String()))
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	carried.TraceParent, carried.TraceState = carrier["traceparent"], carrier["tracestate"]
	return span
}

// endSending ends the spans of a round; nil results are those of a round that was given up.
func endSending(spans []sending, results []error) {
	for _, sent := range spans {
		if results == nil || results[sent.position] != nil {
			sent.span.SetStatus(codes.Error, "the broker has not acknowledged the event")
		}
		sent.span.End()
	}
}
