package bus_test

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformanceEmbedded(t *testing.T) {
	t.Parallel()
	bustest.Conformance(t, bustest.Connect(t))
}

func TestConformanceKafka(t *testing.T) {
	t.Parallel()
	brokers := os.Getenv("BRAID_TEST_KAFKA_BROKERS")
	if brokers == "" {
		t.Skip("BRAID_TEST_KAFKA_BROKERS names no Kafka cluster")
	}
	bustest.Conformance(t, bus.Connection{Brokers: strings.Split(brokers, ",")})
}
