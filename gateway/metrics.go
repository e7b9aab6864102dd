package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	limited  prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	made := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "braid_gateway_duration_seconds",
			Help:    "How long requests took at the public port, by HTTP method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_gateway_refusals_total",
			Help: "Requests that the gateway refused by itself, by reason.",
		}, []string{"reason"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_gateway_rate_limited_total",
			Help: "Requests refused because a budget was spent.",
		}),
	}
	if err := errors.Join(registerer.Register(made.duration), registerer.Register(made.refused), registerer.Register(made.limited)); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return made, nil
}

// observe keeps foreign text out of labels: only the methods of HTTP are named.
func (m *metrics) observe(method string, status int, elapsed time.Duration) {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodPut, http.MethodOptions, http.MethodHead:
	default:
		method = "other"
	}
	m.duration.WithLabelValues(method, strconv.Itoa(status)).Observe(elapsed.Seconds())
}

// statusWriter remembers the status for the metrics, and goes with the request through the gateway.
type statusWriter struct {
	http.ResponseWriter
	status int
	// client is the caller's address as the gateway found it.
	client netip.Addr
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the real writer; Flush lets streams through handlers that look for it.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher.
func (w *statusWriter) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}
