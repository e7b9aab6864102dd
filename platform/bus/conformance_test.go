package bus_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/braidhq/braid/testkit/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same suite runs against Apache Kafka in the split form of test/e2e.
func TestConformanceEmbedded(t *testing.T) {
	t.Parallel()
	bustest.Conformance(t, bustest.Connect(t))
}
