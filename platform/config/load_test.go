package config

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

func TestLoadPrecedence(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "braid.yaml", "listen: file:1\nworkflow:\n  retry:\n    max: 7\n    pause: 2s\n")
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags)

	require.NoError(t, b.registry.Load(Sources{}))
	require.Equal(t, "127.0.0.1:8080", b.global.Listen)
	require.Equal(t, ByteSize(1<<20), b.workflow.BodyLimit)

	require.NoError(t, b.registry.Load(Sources{File: file, Flags: flags}))
	require.Equal(t, "file:1", b.global.Listen)
	require.Equal(t, RetrySettings{Max: 7, Pause: 2 * time.Second}, b.workflow.Retry)

	environment := []string{"BRAID_LISTEN=environment:1", "BRAID_WORKFLOW_RETRY_MAX=9", "PATH=/bin", "BRAID_COLORS="}
	require.NoError(t, b.registry.Load(Sources{File: file, Env: environment, Flags: flags}))
	require.Equal(t, "environment:1", b.global.Listen)
	require.Equal(t, RetrySettings{Max: 9, Pause: 2 * time.Second}, b.workflow.Retry)

	require.NoError(t, flags.Parse([]string{"--listen", "flag:1", "--colors"}))
	require.NoError(t, b.registry.Load(Sources{File: file, Env: environment, Flags: flags}))
	require.Equal(t, "flag:1", b.global.Listen)
	require.True(t, b.global.Colors)

	require.NoError(t, b.registry.Load(Sources{}))
	require.Equal(t, "127.0.0.1:8080", b.global.Listen, "a second Load starts from the defaults")
}

func TestFileIsNamedByFlagThenEnvironment(t *testing.T) {
	t.Parallel()
	byEnvironment, byFlag := writeFile(t, "a.yaml", "listen: a:1\n"), writeFile(t, "b.yaml", "listen: b:1\n")
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags, "listen")
	require.Nil(t, flags.Lookup("colors"), "only the flags asked for")
	sources := Sources{Env: []string{"BRAID_CONFIG=" + byEnvironment}, Flags: flags}
	require.NoError(t, b.registry.Load(sources))
	require.Equal(t, "a:1", b.global.Listen)
	require.NoError(t, flags.Parse([]string{"--config", byFlag}))
	require.NoError(t, b.registry.Load(sources))
	require.Equal(t, "b:1", b.global.Listen)
}

func TestFlagIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := setup()
	flags := pflag.NewFlagSet("braid", pflag.ContinueOnError)
	b.registry.BindFlags(flags)
	require.ErrorContains(t, flags.Parse([]string{"--colors=maybe"}), "true or false")
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=a:1, b:2,"}}))
	require.Equal(t, []string{"a:1", "b:2"}, b.global.Brokers)
	require.NoError(t, b.registry.Load(Sources{File: writeFile(t, "c.yaml", "kafka_brokers: [a:1, 'b,c']\n")}))
	require.Equal(t, []string{"a:1", "b,c"}, b.global.Brokers)
	err := b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=,,"}})
	require.Equal(t, []string{`BRAID_KAFKA_BROKERS: kafka_brokers: ",," is not a list with anything in it`}, problems(t, err))
}

func TestCheckJudgesAcrossSections(t *testing.T) {
	t.Parallel()
	check := func(report func(key, reason string)) {
		report("listen", "is taken")
		report("workflow.database_url", "is required")
		report("workflow.share", "is not wanted")
	}
	err := setup().registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_SHARE=half", "BRAID_LISTEN=a:1"}, Check: check})
	require.Equal(t, []string{
		`BRAID_LISTEN: listen: is taken`,
		`BRAID_WORKFLOW_SHARE: workflow.share: "half" is not a number`,
		`not set: workflow.database_url: is required (BRAID_WORKFLOW_DATABASE_URL)`,
	}, problems(t, err), "what can't be read is not judged")
}

func TestPresetValueIsTheDefault(t *testing.T) {
	t.Parallel()
	registry, settings := New(), &RetrySettings{Max: 3}
	registry.Section("mail", settings)
	require.NoError(t, registry.Load(Sources{}))
	require.Equal(t, RetrySettings{Max: 3, Pause: 100 * time.Millisecond}, *settings)
	require.Equal(t, "3", registry.Reference()[0].Default)
}

func TestValidateNamesTheOrigin(t *testing.T) {
	t.Parallel()
	b := setup()
	err := b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_CONNECTIONS=30"}})
	require.Equal(t, []string{`BRAID_WORKFLOW_CONNECTIONS: workflow.connections: is more than 20`}, problems(t, err),
		"once, although the outer struct inherits the method")
	require.NoError(t, b.registry.Load(Sources{
		Env: []string{"BRAID_WORKFLOW_CONNECTIONS=30"}, Unused: []string{"workflow"},
	}), "an unused section is not judged")
}
