package pg

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are one DB's figures. Several services share a registry in one process, so each carries its service's name.
type metrics struct {
	transactions *prometheus.CounterVec
	retries      *prometheus.CounterVec
	shared       *prometheus.CounterVec
	shareQueue   prometheus.Gauge
	points       *prometheus.CounterVec
	flushes      prometheus.Counter
	reconnects   prometheus.Counter
	queue        prometheus.Gauge
	diskFull     prometheus.Counter

	registerer prometheus.Registerer
	registered []prometheus.Collector
	service    string
}

func newMetrics(service string) *metrics {
	return &metrics{
		service: service,
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_pg_transactions_total",
			Help: "Transactions by role and outcome: committed, rolled_back, failed, unknown (commit lost).",
		}, []string{"role", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_pg_transaction_retries_total",
			Help: "Transactions run again, by cause.",
		}, []string{"role", "cause"}),
		shared: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_pg_sharers_total",
			Help: "Work that may share a transaction, by what became of it: committed, failed or rolled_back in a shared one, unknown " +
				"(commit lost), replayed (run again alone), alone (nobody else was there), overtaking (did not wait longer).",
		}, []string{"outcome"}),
		shareQueue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_pg_share_queue_requests",
			Help: "Work that waits for the next shared transaction.",
		}),
		points: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "braid_pg_point_reads_total",
			Help: "Coalesced point reads by outcome: ok, error, abandoned, rejected (queue full), unavailable.",
		}, []string{"outcome"}),
		flushes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_pg_point_flushes_total",
			Help: "Round trips that carried coalesced point reads.",
		}),
		reconnects: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_pg_point_connect_failures_total",
			Help: "Failed attempts to connect for coalesced point reads.",
		}),
		queue: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "braid_pg_point_queue_requests",
			Help: "Point reads that wait for a connection.",
		}),
		diskFull: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "braid_pg_disk_full_errors_total",
			Help: "Statements that the server refused because its disk is full, those that ask whether it still is included.",
		}),
	}
}

// pointMetrics are the figures of point reads with their labels bound: looking one up costs more than counting.
type pointMetrics struct {
	ok, failed, abandoned, rejected, unavailable prometheus.Counter
	flushes, connectFailures                     prometheus.Counter
	queue                                        prometheus.Gauge
}

func (m *metrics) bindPoints() *pointMetrics {
	return &pointMetrics{
		ok:              m.points.WithLabelValues("ok"),
		failed:          m.points.WithLabelValues("error"),
		abandoned:       m.points.WithLabelValues("abandoned"),
		rejected:        m.points.WithLabelValues("rejected"),
		unavailable:     m.points.WithLabelValues("unavailable"),
		flushes:         m.flushes,
		connectFailures: m.reconnects,
		queue:           m.queue,
	}
}

func (m *metrics) register(registerer prometheus.Registerer, app, worker, shared *pgxpool.Pool) error {
	m.registerer = prometheus.WrapRegistererWith(prometheus.Labels{"service": m.service}, registerer)
	for _, collector := range []prometheus.Collector{
		m.transactions, m.retries, m.shared, m.shareQueue, m.points, m.flushes, m.reconnects, m.queue, m.diskFull,
		&poolCollector{pools: map[string]*pgxpool.Pool{"app": app, "worker": worker, "shared": shared}},
	} {
		if err := m.registerer.Register(collector); err != nil {
			var twice prometheus.AlreadyRegisteredError
			if errors.As(err, &twice) {
				return fmt.Errorf("register metrics: a database of service %s is open already", m.service)
			}
			return fmt.Errorf("register metrics: %w", err)
		}
		m.registered = append(m.registered, collector)
	}
	return nil
}

func (m *metrics) unregister() {
	for _, collector := range m.registered {
		m.registerer.Unregister(collector)
	}
	m.registered = nil
}

var (
	connectionsDescription = prometheus.NewDesc("braid_pg_pool_connections",
		"Connections of a pool by state: idle, used, opening.", []string{"role", "state"}, nil)
	limitDescription = prometheus.NewDesc("braid_pg_pool_connections_limit",
		"Most connections a pool may hold.", []string{"role"}, nil)
	acquiresDescription = prometheus.NewDesc("braid_pg_pool_acquires_total",
		"Connections taken from a pool.", []string{"role"}, nil)
	waitsDescription = prometheus.NewDesc("braid_pg_pool_waits_total",
		"Connections taken only after waiting for one.", []string{"role"}, nil)
	waitSecondsDescription = prometheus.NewDesc("braid_pg_pool_wait_seconds_total",
		"Time spent waiting for a connection.", []string{"role"}, nil)
)

// poolCollector reads a pool's own counters when it is scraped.
type poolCollector struct{ pools map[string]*pgxpool.Pool }

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- connectionsDescription
	descriptions <- limitDescription
	descriptions <- acquiresDescription
	descriptions <- waitsDescription
	descriptions <- waitSecondsDescription
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(samples chan<- prometheus.Metric) {
	for role, pool := range c.pools {
		state := pool.Stat()
		gauge := func(value int32, label string) prometheus.Metric {
			return prometheus.MustNewConstMetric(connectionsDescription, prometheus.GaugeValue, float64(value), role, label)
		}
		samples <- gauge(state.IdleConns(), "idle")
		samples <- gauge(state.AcquiredConns(), "used")
		samples <- gauge(state.ConstructingConns(), "opening")
		samples <- prometheus.MustNewConstMetric(limitDescription, prometheus.GaugeValue, float64(state.MaxConns()), role)
		samples <- prometheus.MustNewConstMetric(acquiresDescription, prometheus.CounterValue, float64(state.AcquireCount()), role)
		samples <- prometheus.MustNewConstMetric(waitsDescription, prometheus.CounterValue, float64(state.EmptyAcquireCount()), role)
		samples <- prometheus.MustNewConstMetric(waitSecondsDescription, prometheus.CounterValue,
			state.EmptyAcquireWaitTime().Seconds(), role)
	}
}
