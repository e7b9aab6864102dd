package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const canary = "postgres://braid:canary-5f1e@db/workflow"

func TestSecrets(t *testing.T) {
	t.Parallel()
	secret := writeFile(t, "url", canary+"\n")
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret}}))
	require.Equal(t, canary, b.workflow.DatabaseURL)
	require.NoError(t, b.registry.Load(Sources{
		File: writeFile(t, "f.yaml", "workflow: {database_url_file: "+secret+"}\n"),
	}))
	require.Equal(t, canary, b.workflow.DatabaseURL)

	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	require.NotContains(t, printed.String(), "canary")
	require.Contains(t, printed.String(), masked)

	err := b.registry.Load(Sources{Env: []string{
		"BRAID_WORKFLOW_DATABASE_URL=" + canary, "BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret,
	}})
	require.Equal(t, []string{`BRAID_WORKFLOW_DATABASE_URL_FILE: workflow.database_url: ` +
		`BRAID_WORKFLOW_DATABASE_URL is set as well; set one of them`}, problems(t, err))
	err = b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_DATABASE_URL_FILE=" + secret + ".absent"}})
	require.ErrorContains(t, err, "no such file")
	for _, content := range []string{"", "\n"} {
		empty := writeFile(t, "empty", content)
		err = b.registry.Load(Sources{Env: []string{"BRAID_WORKFLOW_DATABASE_URL_FILE=" + empty}})
		require.Equal(t, []string{"BRAID_WORKFLOW_DATABASE_URL_FILE: workflow.database_url: " + empty + " is empty"}, problems(t, err))
	}
	err = b.registry.Load(Sources{Env: []string{"BRAID_LISTEN_FILE=" + secret}})
	require.ErrorContains(t, err, "is not known", "only secrets are read from files")
}

func TestBrokenSecretIsNotRepeated(t *testing.T) {
	t.Parallel()
	registry := New()
	registry.Section("", &struct {
		Pin int `config:"pin" secret:"true"`
	}{})
	err := registry.Load(Sources{Env: []string{"BRAID_PIN=canary"}})
	require.Equal(t, []string{"BRAID_PIN: pin: is not a whole number in range"}, problems(t, err))
}

func TestPasswordInPlainFieldIsMasked(t *testing.T) {
	t.Parallel()
	b := setup()
	require.NoError(t, b.registry.Load(Sources{Env: []string{"BRAID_KAFKA_BROKERS=sasl://ada:canary@a:1"}}))
	var printed strings.Builder
	require.NoError(t, b.registry.Print(&printed))
	require.NotContains(t, printed.String(), "canary")
}
