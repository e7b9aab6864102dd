package config

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type globalSettings struct {
	Listen  string   `config:"listen" default:"127.0.0.1:8080" flag:"listen" help:"Public address."`
	Brokers []string `config:"kafka_brokers" help:"Brokers."`
	Colors  bool     `config:"colors" flag:"colors" help:"Paint."`
}

type RetrySettings struct {
	Max   int           `config:"max" default:"5" help:"Attempts."`
	Pause time.Duration `config:"pause" default:"100ms" help:"Pause between attempts."`
}

func (r *RetrySettings) Validate(report func(key, reason string)) {
	if r.Max < 1 {
		report("max", "is less than 1")
	}
}

type PoolSettings struct {
	Connections int `config:"connections" default:"10" help:"Connections at most."`
}

func (p *PoolSettings) Validate(report func(key, reason string)) {
	if p.Connections > 20 {
		report("connections", "is more than 20")
	}
}

type workflowSettings struct {
	PoolSettings
	DatabaseURL string        `config:"database_url" secret:"true" help:"Connection string."`
	Retry       RetrySettings `config:"retry"`
	BodyLimit   ByteSize      `config:"body_limit" default:"1MiB" help:"Largest body."`
	Share       float64       `config:"share" default:"0.5" help:"A share."`
	Level       slog.Level    `config:"level" default:"INFO" help:"Lowest level."`
	Untagged    string
}

type bundle struct {
	registry *Registry
	global   *globalSettings
	workflow *workflowSettings
}

func setup() *bundle {
	b := &bundle{registry: New(), global: &globalSettings{}, workflow: &workflowSettings{}}
	b.registry.Section("", b.global)
	b.registry.Section("workflow", b.workflow)
	return b
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// problems returns the lines of a Load that must fail, with the file's directory taken out.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var found Problems
	require.ErrorAs(t, err, &found)
	lines := make([]string, len(found))
	for i, problem := range found {
		problem.Source = filepath.Base(problem.Source)
		lines[i] = problem.String()
	}
	return lines
}
