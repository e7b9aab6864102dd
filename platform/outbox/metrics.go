package outbox

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	depth     prometheus.Gauge
	oldest    prometheus.Gauge
	published prometheus.Counter
	failures  prometheus.Counter
	batch     prometheus.Histogram
	leader    prometheus.Gauge
	watermark prometheus.Gauge
}

func newMetrics(service string, registerer prometheus.Registerer) *metrics {
	factory := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer))
	return &metrics{
		depth: factory.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_depth_events", Help: "Committed events not yet published, counted up to 100000; 0 where the relay is not the active one.",
		}),
		oldest: factory.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_oldest_age_seconds", Help: "Age of the oldest event not yet published; 0 where the relay is not the active one.",
		}),
		published: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_outbox_published_total", Help: "Events that the broker has acknowledged.",
		}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_outbox_failures_total", Help: "Rounds of the relay that failed and will be repeated.",
		}),
		batch: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_outbox_batch_seconds", Help: "Time from reading a batch to deleting it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		leader: factory.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_leader_state", Help: "1 where the relay is the active one of its database.",
		}),
		watermark: factory.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_watermark_timestamp_seconds", Help: "Up to when everything committed is known to be published; 0 without watermarks.",
		}),
	}
}
