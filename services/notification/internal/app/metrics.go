package app

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics count what becomes of mails.
type Metrics struct {
	attempts     *prometheus.CounterVec
	conversation prometheus.Histogram
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	metrics := &Metrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_notification_mail_attempts_total",
			Help: "Tries to deliver a mail, by kind and by what came of it: sent, failed, skipped or retried.",
		}, []string{"kind", "outcome"}),
		conversation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "braid_notification_smtp_conversation_seconds",
			Help:    "Time taken to hand one mail to the mail server, or to fail to.",
			Buckets: prometheus.ExponentialBuckets(0.002, 3, 10),
		}),
	}
	for _, collector := range []prometheus.Collector{metrics.attempts, metrics.conversation} {
		if err := registerer.Register(collector); err != nil {
			return nil, fmt.Errorf("register mail metrics: %w", err)
		}
	}
	return metrics, nil
}
