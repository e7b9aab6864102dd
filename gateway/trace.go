package gateway

import (
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/braidhq/braid/platform/rpc"
)

// trace begins the span of a request that is passed on; the service's is its child. It ends with the answer. Without a
// collector there is none, and what came in goes on as it is.
func (g *Gateway) trace(w *statusWriter, r *http.Request, method *rpc.Method) (end func()) {
	if !g.Traced {
		return func() {}
	}
	propagator := otel.GetTextMapPropagator()
	ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	route := method.Procedure
	if method.Path != "" {
		route = method.Path
	}
	ctx, span := otel.Tracer("braid/gateway").Start(ctx, r.Method+" "+route, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", route)))
	propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
	return func() {
		span.SetAttributes(attribute.Int("http.response.status_code", w.status))
		if w.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
