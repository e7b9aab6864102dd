package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	limited  prometheus.Counter
	slow     prometheus.Counter
	hung     *prometheus.GaugeVec
	repeated *prometheus.CounterVec
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "braid_gateway_duration_seconds",
			Help:    "How long requests took at the public port, by HTTP method and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "code"}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_gateway_refusals_total",
			Help: "Requests that the gateway refused by itself, by reason.",
		}, []string{"reason"}),
		limited: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_gateway_rate_limited_total",
			Help: "Requests refused because a budget was spent.",
		}),
		slow: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_gateway_slow_clients_total",
			Help: "Connections and HTTP/2 streams ended because the client did not take its answer.",
		}),
		hung: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_gateway_hung_addresses",
			Help: "Addresses of a service that take requests and do not answer; they are passed over until they do.",
		}, []string{"service"}),
		repeated: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_gateway_repeats_total",
			Help: "Requests that one address of a service did not answer and the next was asked.",
		}, []string{"service"}),
	}
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
