package inbox

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/pg"
)

// Each makes a Handler of a function that takes events one by one, each inside its own context (Enter).
func Each(apply func(ctx context.Context, tx *pg.Tx, event bus.Event) error) Handler {
	return func(ctx context.Context, tx *pg.Tx, events []bus.Event) error {
		for _, event := range events {
			if err := Enter(ctx, event, func(ctx context.Context) error { return apply(ctx, tx, event) }); err != nil {
				return err
			}
		}
		return nil
	}
}

// Enter makes the work on an event look like the work that caused it: what is written, published or logged with the
// context that work gets is in the name of the same actor, under the same correlation id and in the same trace.
func Enter(ctx context.Context, event bus.Event, work func(ctx context.Context) error) error {
	current := &call.Call{
		CorrelationID: event.CorrelationID, OrganizationID: event.OrganizationID, Actor: event.Actor,
	}
	// Decode has checked that it is an address, when there is one.
	current.ClientAddress, _ = netip.ParseAddr(event.ClientAddress)
	ctx, span := startSpan(call.With(ctx, current), event)
	// Also after a panic, which has no other way to mark it.
	applied := false
	defer func() {
		if !applied {
			span.SetStatus(codes.Error, "the event was not applied")
		}
		span.End()
	}()
	if err := work(ctx); err != nil {
		return fmt.Errorf("apply %s %s: %w", event.Type, event.ID, err)
	}
	applied = true
	return nil
}

// consumerKey is where a handler's context holds the consumer's name, for its spans.
type consumerKey struct{}

func startSpan(ctx context.Context, event bus.Event) (context.Context, trace.Span) {
	consumer, _ := ctx.Value(consumerKey{}).(string)
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": event.TraceParent, "tracestate": event.TraceState,
	})
	ctx, span := otel.Tracer("github.com/braidhq/braid/platform/inbox").Start(ctx, consumer+" process "+event.Type,
		trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", "process"),
			attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.consumer.group.name", consumer),
			attribute.String("messaging.destination.name", event.Topic),
			attribute.String("messaging.destination.partition.id", strconv.Itoa(int(event.Partition))),
			attribute.Int64("messaging.kafka.offset", event.Offset),
			attribute.String("messaging.message.id", event.ID.String()),
			attribute.String("cloudevents.event_type", event.Type),
		)
	}
	return ctx, span
}
