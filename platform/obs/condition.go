package obs

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/braidhq/braid/platform/module"
)

var readyDescription = prometheus.NewDesc("braid_part_ready",
	"Whether a part of the process can do its work: 1 or 0.", []string{"part"}, nil)

// NewConditionCollector returns how the parts of the process are as metrics; conditions is module.Manager.Conditions.
func NewConditionCollector(conditions func() []module.Condition) prometheus.Collector {
	return conditionCollector{conditions}
}

type conditionCollector struct{ conditions func() []module.Condition }

// Describe implements prometheus.Collector.
func (c conditionCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- readyDescription
}

// Collect implements prometheus.Collector.
func (c conditionCollector) Collect(samples chan<- prometheus.Metric) {
	for _, condition := range c.conditions() {
		ready := 1.0
		if condition.Err != nil {
			ready = 0
		}
		samples <- prometheus.MustNewConstMetric(readyDescription, prometheus.GaugeValue, ready, condition.Part)
	}
}
