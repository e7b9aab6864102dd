package live

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	streams   prometheus.Gauge
	sent      prometheus.Counter
	snapshots prometheus.Counter
	reads     prometheus.Counter
	failures  prometheus.Counter
	delay     prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) *metrics {
	factory := promauto.With(registerer)
	return &metrics{
		streams: factory.NewGauge(prometheus.GaugeOpts{
			Name: "braid_workflow_watch_streams", Help: "Streams that are open.",
		}),
		sent: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_changes_total", Help: "Changes sent to streams.",
		}),
		snapshots: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_snapshots_total", Help: "Snapshots sent to streams.",
		}),
		reads: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_reads_total", Help: "Statements that read changes for streams.",
		}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_workflow_watch_failures_total", Help: "Failed reads, notifications and listenings, each tried again.",
		}),
		delay: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "braid_workflow_watch_delay_seconds", Help: "Time from a change to its being sent to a stream.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}),
	}
}
