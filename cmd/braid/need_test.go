package main

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/config"
)

// problems loads a configuration and returns the keys that are refused, with their sources.
func problems(t *testing.T, needed need, mailbox bool, environment ...string) map[string]string {
	t.Helper()
	s := newSettings(mailbox)
	err := s.loadFrom(config.Sources{Env: append(environment, "BRAID_DATA_DIR=/var/lib/braid")}, needed)
	found := map[string]string{}
	var refused config.Problems
	if errors.As(err, &refused) {
		for _, problem := range refused {
			found[problem.Key] = problem.Source
		}
	} else {
		require.NoError(t, err)
	}
	return found
}

func TestEachProblemIsBlamedOnItsKey(t *testing.T) {
	t.Parallel()
	for variable, key := range map[string]string{
		"BRAID_DATABASE_URL=not-a-url":                            "database_url",
		"BRAID_LISTEN=127.0.0.1:99999":                            "listen",
		"BRAID_ADMIN_LISTEN=127.0.0.1:8080":                       "admin_listen",
		"BRAID_ADMIN_LISTEN=0.0.0.0:8080":                         "admin_listen",
		"BRAID_SERVICE_LISTEN=127.0.0.1:8081":                     "service_listen",
		"BRAID_KAFKA_LISTEN=127.0.0.1:8080":                       "kafka.listen",
		"BRAID_DRAIN_GRACE=-5s":                                   "drain_grace",
		"BRAID_WORKFLOW_URL=ftp://x":                              "workflow.url",
		"BRAID_WORKFLOW_DATABASE_URL=not-a-url":                   "workflow.database_url",
		"BRAID_AUDIT_MIGRATION_DATABASE_URL=postgres://localhost": "audit.migration_database_url",
		"BRAID_KAFKA_BROKERS=,,":                                  "kafka.brokers",
		"BRAID_KAFKA_BROKERS=http://kafka:9092":                   "kafka.brokers",
		"BRAID_KAFKA_SASL_MECHANISM=GSSAPI":                       "kafka.sasl_mechanism",
		"BRAID_KAFKA_REPLICATION=-1":                              "kafka.replication",
		"BRAID_REDIS_URL=redis":                                   "redis.url",
		"BRAID_GATEWAY_BODY_TIMEOUT=-1s":                          "gateway.body_timeout",
		"BRAID_GATEWAY_WRITE_TIMEOUT=0s":                          "gateway.write_timeout",
		"BRAID_NOTIFICATION_SMTP_TIMEOUT=-1s":                     "notification.smtp_timeout",
	} {
		found := problems(t, needOfUp(), true, variable)
		require.Len(t, found, 1, variable)
		require.Contains(t, found, key, variable)
		require.Equal(t, variable[:len(found[key])], found[key], "the variable is named as the source")
	}
	require.Contains(t, problems(t, needOfUp(), true, "BRAID_KAFKA_BROKERS=kafka:9092", "BRAID_KAFKA_SASL_MECHANISM=GSSAPI"),
		"kafka.sasl_mechanism", "with brokers as well")
	files := problems(t, needOfUp(), true, "BRAID_KAFKA_TLS=true", "BRAID_KAFKA_CA_FILE=/absent/ca",
		"BRAID_GATEWAY_TLS_CERTIFICATE=/absent/chain", "BRAID_GATEWAY_TLS_KEY=/absent/key")
	require.Contains(t, files, "kafka.ca_file")
	require.Contains(t, files, "gateway.tls_certificate")
	require.Empty(t, problems(t, needOfUp(), true))
}

func TestWhatACommandNeedsIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]string{
		"workflow.database_url": "not set", "audit.database_url": "not set", "kafka.brokers": "not set",
	}, problems(t, needOfServe([]string{"workflow", "audit"}), false))
	require.Contains(t, problems(t, needOfServe([]string{"notification"}), false), "notification.smtp_url")
	found := problems(t, needOfServe([]string{"gateway"}), false, "BRAID_KAFKA_BROKERS=kafka:9092", "BRAID_WORKFLOW_URL=http://workflow:8080")
	require.Len(t, found, 4)
	require.Contains(t, found, "identity.url")
	require.Len(t, problems(t, need{databases: serviceNames()}, false), len(serviceNames()), "migrate needs nothing else")
	require.Empty(t, problems(t, need{}, false), "a tool needs nothing")
	require.Contains(t, problems(t, need{}, false, "BRAID_WORKFLOW_URL=ftp://x"), "workflow.url", "an address concerns every process")
}

func TestDataDirectoryThatPostgreSQLCannotUseIsRefusedByItsFlag(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, command := range [][]string{{"up"}, {"config", "check"}} {
		err := execute(t, append(command, "--data-dir", filepath.Join(parent, "$(id)"))...)
		require.ErrorContains(t, err, "--data-dir: data_dir: PostgreSQL can't use")
		require.ErrorContains(t, err, `the character '$'`)
	}
	require.NoDirExists(t, filepath.Join(parent, "$(id)"))
	s := newSettings(true)
	require.NoError(t, s.loadFrom(config.Sources{Env: []string{"BRAID_DATA_DIR=$", "BRAID_DATABASE_URL=postgres://localhost"}}, needOfUp()),
		"a server elsewhere does not mind")
}

func TestTailIsQuotedForAShell(t *testing.T) {
	t.Parallel()
	require.Equal(t, "/var/lib/braid-2", quoteForShell("/var/lib/braid-2"))
	require.Equal(t, `'/tmp/s p'`, quoteForShell("/tmp/s p"))
	require.Equal(t, `'/tmp/it'\''s'`, quoteForShell("/tmp/it's"))
}
