package obs

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build says which program this is.
type Build struct {
	// Version is the release, "v1.2.3" or "development".
	Version string
	// Commit is the revision it was built from.
	Commit string
}

// The bounds of /metrics: a scraper that hangs must not pile up.
const (
	scrapesAtOnce = 4
	scrapeTimeout = 10 * time.Second
)

// NewMetrics returns a registry with what every process tells: the Go runtime, the operating system's view of the
// process, and the build. The parts add theirs with promauto: two of one name are a mistake in the program, not a state
// that it could get into, so they panic while it starts and no constructor returns an error for them. What may be there
// already has its own way (platform/rpc, platform/pg).
func NewMetrics(build Build) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "braid_build_info",
			Help: "Which program this is; the value is always 1.",
			ConstLabels: prometheus.Labels{
				"version": build.Version, "commit": build.Commit, "go_version": runtime.Version(),
			},
		}, func() float64 { return 1 }),
	)
	return registry
}

// MetricsHandler serves a registry for Prometheus. A collector that fails doesn't take the others' metrics with it.
func MetricsHandler(gatherer prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTimeout,
	})
}
