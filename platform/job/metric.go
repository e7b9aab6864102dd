package job

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// measureEvery is how often the depth of the queues is read; not at every scrape, because it counts rows.
const measureEvery = 10 * time.Second

type metrics struct {
	enqueued *prometheus.CounterVec
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	rescued  prometheus.Counter
	depth    *prometheus.GaugeVec
	oldest   *prometheus.GaugeVec
}

func newMetrics(service string, registerer prometheus.Registerer) *metrics {
	factory := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"service": service}, registerer))
	return &metrics{
		enqueued: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_job_enqueued_total",
			Help: "Jobs added by committed transactions, periodic ones not counted.",
		}, []string{"kind"}),
		attempts: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_job_attempts_total",
			Help: "Attempts at jobs by what came of them: completed, retried, deferred, canceled or discarded.",
		}, []string{"kind", "outcome"}),
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "braid_job_attempt_duration_seconds",
			Help:    "How long attempts took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"kind"}),
		rescued: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_job_rescued_total",
			Help: "Jobs given back because the process that worked them is gone.",
		}),
		depth: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_job_queue_depth",
			Help: "Jobs that are not finished, by state.",
		}, []string{"queue", "state"}),
		oldest: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "braid_job_queue_oldest_seconds",
			Help: "How long the oldest job that could be worked has been waiting.",
		}, []string{"queue"}),
	}
}

// measure keeps the gauges of the queues up to date.
func (q *Queue) measure(ctx context.Context) {
	ticker := time.NewTicker(measureEvery)
	defer ticker.Stop()
	for {
		if err := q.measureOnce(ctx); err != nil && ctx.Err() == nil {
			q.logger.WarnContext(ctx, "measure job queues", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (q *Queue) measureOnce(ctx context.Context) error {
	const query = `select queue, state::text, count(*),
	coalesce(extract(epoch from now() - min(scheduled_at)), 0)::float8
from river_job where state in ('available', 'pending', 'retryable', 'running', 'scheduled')
group by queue, state`
	rows, err := q.config.DB.WorkerRead().Query(ctx, query)
	if err != nil {
		return fmt.Errorf("count jobs: %w", err)
	}
	defer rows.Close()
	type depth struct {
		queue, state  string
		count, oldest float64
	}
	var depths []depth
	for rows.Next() {
		var read depth
		if err := rows.Scan(&read.queue, &read.state, &read.count, &read.oldest); err != nil {
			return fmt.Errorf("count jobs: %w", err)
		}
		depths = append(depths, read)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("count jobs: %w", err)
	}
	for name := range q.config.Queues {
		for _, state := range unfinished {
			q.metrics.depth.WithLabelValues(name, string(state)).Set(0)
		}
		q.metrics.oldest.WithLabelValues(name).Set(0)
	}
	for _, read := range depths {
		q.metrics.depth.WithLabelValues(read.queue, read.state).Set(read.count)
		if read.state == "available" {
			q.metrics.oldest.WithLabelValues(read.queue).Set(max(read.oldest, 0))
		}
	}
	return nil
}
