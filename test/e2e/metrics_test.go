package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testMetrics holds what Prometheus would read against Prometheus' own opinion of names, types and help.
func testMetrics(t *testing.T, s *suite) {
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("promtool is not installed")
	}
	require.NoError(t, err, "CI must have promtool")
	metrics := s.adminPage(t, "/metrics")
	require.True(t, strings.Contains(metrics, "braid_build_info{"), "these are not the metrics")
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(metrics)
	said, err := check.CombinedOutput()
	require.NoError(t, err, string(said))
}
