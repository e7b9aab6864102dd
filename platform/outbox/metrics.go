package outbox

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
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

func newMetrics(service string, registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		depth: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_depth_events", Help: "Committed events not yet published, counted up to 100000; 0 where the relay is not the active one.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_oldest_age_seconds", Help: "Age of the oldest event not yet published; 0 where the relay is not the active one.",
		}),
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_outbox_published_total", Help: "Events that the broker has acknowledged.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_outbox_failures_total", Help: "Rounds of the relay that failed and will be repeated.",
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_outbox_batch_seconds", Help: "Time from reading a batch to deleting it.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_leader_state", Help: "1 where the relay is the active one of its database.",
		}),
		watermark: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_outbox_watermark_timestamp_seconds", Help: "Up to when everything committed is known to be published; 0 without watermarks.",
		}),
	}
	registerer = prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer)
	for _, collector := range []prometheus.Collector{m.depth, m.oldest, m.published, m.failures, m.batch, m.leader, m.watermark} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("register outbox metrics: %w", err)
		}
	}
	return m, nil
}
