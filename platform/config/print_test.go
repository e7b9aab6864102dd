package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/testkit/golden"
)

func TestPrint(t *testing.T) {
	t.Parallel()
	b := setup()
	sources := Sources{Env: []string{
		"BRAID_KAFKA_BROKERS=a:1,b:2", "BRAID_WORKFLOW_RETRY_PAUSE=3s", "BRAID_WORKFLOW_DATABASE_URL=" + canary,
	}}
	require.NoError(t, b.registry.Load(sources))
	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	golden.Assert(t, "testdata/print.yaml", printed.String())

	again := setup()
	require.NoError(t, again.registry.Load(Sources{File: writeFile(t, "p.yaml", printed.String())}))
	b.workflow.DatabaseURL = masked
	require.Equal(t, b.global, again.global)
	require.Equal(t, b.workflow, again.workflow)
}

func TestReference(t *testing.T) {
	t.Parallel()
	reference := setup().registry.Reference()
	require.Contains(t, reference, Key{
		Path: "workflow.retry.pause", Section: "workflow", Type: "duration", Default: "100ms",
		Environment: "BRAID_WORKFLOW_RETRY_PAUSE", Help: "Pause between attempts.",
	})
	require.Contains(t, reference, Key{
		Path: "workflow.database_url", Section: "workflow", Type: "string", Help: "Connection string.", Secret: true,
		Environment: "BRAID_WORKFLOW_DATABASE_URL", EnvironmentFile: "BRAID_WORKFLOW_DATABASE_URL_FILE",
	})
	require.Contains(t, reference, Key{
		Path: "listen", Type: "string", Default: "127.0.0.1:8080", Environment: "BRAID_LISTEN", Flag: "listen",
		Help: "Public address.",
	})
}
