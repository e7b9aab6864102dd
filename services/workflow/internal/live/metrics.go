package live

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	streams   prometheus.Gauge
	sent      prometheus.Counter
	snapshots prometheus.Counter
	reads     prometheus.Counter
	failures  prometheus.Counter
	delay     prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	made := &metrics{
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_workflow_watch_streams", Help: "Streams that are open.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_changes_total", Help: "Changes sent to streams.",
		}),
		snapshots: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_snapshots_total", Help: "Snapshots sent to streams.",
		}),
		reads: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_reads_total", Help: "Statements that read changes for streams.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_failures_total", Help: "Failed reads, notifications and listenings, each tried again.",
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_workflow_watch_delay_seconds", Help: "Time from a change to its being sent to a stream.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}),
	}
	var problems []error
	for _, collector := range []prometheus.Collector{made.streams, made.sent, made.snapshots, made.reads, made.failures, made.delay} {
		problems = append(problems, registerer.Register(collector))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("register metrics of streams: %w", err)
	}
	return made, nil
}
