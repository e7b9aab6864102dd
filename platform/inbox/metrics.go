package inbox

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	lag         *prometheus.GaugeVec
	applied     prometheus.Counter
	duplicates  prometheus.Counter
	forgotten   prometheus.Counter
	retries     *prometheus.CounterVec
	deadLetters prometheus.Counter
	handled     prometheus.Histogram
	batch       prometheus.Histogram
	age         prometheus.Histogram
}

func newMetrics(service string, registerer prometheus.Registerer) *metrics {
	factory := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer))
	m := &metrics{
		lag: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_consumer_lag_events", Help: "Records of a topic that the whole group has yet to commit, as this member saw it last.",
		}, []string{"topic"}),
		applied: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_consumer_applied_total", Help: "Events applied.",
		}),
		duplicates: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_consumer_duplicates_total", Help: "Events that came again and were passed over.",
		}),
		forgotten: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_consumer_forgotten_total", Help: "Events dropped because their organization was erased here.",
		}),
		retries: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_consumer_retries_total", Help: "Tries after a failure, by cause: infrastructure, event.",
		}, []string{"cause"}),
		deadLetters: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_consumer_dead_letters_total", Help: "Events put aside because they could not be applied.",
		}),
		handled: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_consumer_handled_seconds", Help: "Time of one transaction with its events.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
		}),
		batch: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_consumer_batch_events", Help: "Events that were applied in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
		age: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_consumer_event_age_seconds", Help: "Time from an event's happening to its effect being committed.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 18),
		}),
	}
	// Both are there from the start, so that an alert on their rate sees the first.
	m.retries.WithLabelValues(causeInfrastructure)
	m.retries.WithLabelValues(causeEvent)
	return m
}
