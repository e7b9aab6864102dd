package app

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics count what becomes of mails, and what is removed.
type Metrics struct {
	attempts     *prometheus.CounterVec
	conversation prometheus.Histogram
	expired      *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	factory := promauto.With(registerer)
	return &Metrics{
		attempts: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_notification_mail_attempts_total",
			Help: "Tries to deliver a mail, by kind and by what came of it: sent, failed, skipped or retried.",
		}, []string{"kind", "outcome"}),
		conversation: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "braid_notification_smtp_conversation_seconds",
			Help:    "Time taken to hand one mail to the mail server, or to fail to.",
			Buckets: prometheus.ExponentialBuckets(0.002, 3, 10),
		}),
		expired: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_notification_expired_rows_total",
			Help: "Rows removed because their time was over, by kind: delivery, read_notification, notification.",
		}, []string{"kind"}),
	}
}
