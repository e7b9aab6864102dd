package rpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// chainMetrics counts what the chain did.
type chainMetrics struct {
	duration *prometheus.HistogramVec
}

func newChainMetrics(registerer prometheus.Registerer) (*chainMetrics, error) {
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "braid_rpc_duration_seconds",
		Help:    "How long RPCs took, by procedure and status.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"procedure", "status"})
	registered, err := register(registerer, duration)
	if err != nil {
		return nil, err
	}
	return &chainMetrics{duration: registered}, nil
}

func (m *chainMetrics) observe(method *Method, status string, elapsed time.Duration) {
	m.duration.WithLabelValues(method.Procedure, status).Observe(elapsed.Seconds())
}

// register adds a collector, or returns the one that is there: the services of one process share their metrics.
func register[C prometheus.Collector](registerer prometheus.Registerer, collector C) (C, error) {
	err := registerer.Register(collector)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing, nil
		}
	}
	if err != nil {
		return collector, fmt.Errorf("register metric: %w", err)
	}
	return collector, nil
}
