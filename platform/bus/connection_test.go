package bus_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
)

func TestConnectionValidate(t *testing.T) {
	t.Parallel()
	brokers := []string{"kafka:9092"}
	good := map[string]bus.Connection{
		"plain":     {Brokers: brokers},
		"TLS":       {Brokers: brokers, TLS: bus.TLS{Enabled: true, CAFile: "ca", CertificateFile: "c", KeyFile: "k"}},
		"SCRAM":     {Brokers: brokers, SASL: bus.SASL{Mechanism: "SCRAM-SHA-512", Username: "u", Password: "p"}},
		"PLAIN":     {Brokers: brokers, SASL: bus.SASL{Mechanism: "PLAIN", Username: "u", Password: "p"}},
		"SCRAM 256": {Brokers: brokers, SASL: bus.SASL{Mechanism: "SCRAM-SHA-256", Username: "u", Password: "p"}},
	}
	for name, connection := range good {
		require.NoError(t, connection.Validate(), name)
	}
	bad := map[string]bus.Connection{
		"no broker":                     {},
		"an empty broker":               {Brokers: []string{""}},
		"a certificate without its key": {Brokers: brokers, TLS: bus.TLS{Enabled: true, CertificateFile: "c"}},
		"TLS settings without TLS":      {Brokers: brokers, TLS: bus.TLS{CAFile: "ca"}},
		"credentials without mechanism": {Brokers: brokers, SASL: bus.SASL{Username: "u", Password: "p"}},
		"a mechanism without password":  {Brokers: brokers, SASL: bus.SASL{Mechanism: "PLAIN", Username: "u"}},
		"an unknown mechanism":          {Brokers: brokers, SASL: bus.SASL{Mechanism: "GSSAPI", Username: "u", Password: "p"}},
	}
	for name, connection := range bad {
		require.Error(t, connection.Validate(), name)
		_, err := bus.NewProducer(connection, slog.New(slog.DiscardHandler))
		require.Error(t, err, name)
	}
}

func TestPasswordStaysOutOfLogs(t *testing.T) {
	t.Parallel()
	connection := bus.Connection{
		Brokers: []string{"kafka:9092"}, SASL: bus.SASL{Mechanism: "PLAIN", Username: "ada", Password: "canary"},
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "connection", connection.SASL)
	logger.Info(fmt.Sprintf("%v %+v %#v %s", connection, connection, connection, connection.SASL))
	require.Contains(t, log.String(), "ada")
	require.NotContains(t, log.String(), "canary")
}
