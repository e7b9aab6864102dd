package e2e_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
)

// testKcat watches the embedded broker with the tool that people have, as the README says.
func testKcat(t *testing.T, s *suite) {
	if s.running.DataDir == "" {
		t.Skip("the broker is not Braid's own")
	}
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		require.Empty(t, os.Getenv("CI"), "kcat is installed where it must not be missed")
		t.Skip("kcat is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	file := filepath.Join(s.running.DataDir, bus.ClientConfigFile)
	topic := bus.EventTopic("workflow")

	list, err := exec.CommandContext(ctx, kcat, "-F", file, "-L").CombinedOutput()
	require.NoError(t, err, "%s", list)
	require.Contains(t, string(list), `topic "`+topic+`"`)

	ada := s.signUp(t, "Ada")
	project := s.project(t, s.organization(t, ada, "Watched"), ada, "KCAT")
	earlier, _ := s.task(t, project, ada, "Written before anybody watches")
	watching := exec.CommandContext(ctx, kcat, "-F", file, "-C", "-t", topic, "-q", "-u", "-f", `%h\n`)
	output, err := watching.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, watching.Start())
	defer func() {
		cancel()
		_ = watching.Wait() // It watches until it is ended.
	}()
	lines := bufio.NewScanner(output)
	awaitLine(t, lines, "ce_type=workflow.task.created,ce_subject=task/"+idOf(earlier))
	later, _ := s.task(t, project, ada, "Written while kcat watches")
	awaitLine(t, lines, "ce_type=workflow.task.created,ce_subject=task/"+idOf(later))
}

// awaitLine reads up to a line that holds part.
func awaitLine(t *testing.T, lines *bufio.Scanner, part string) {
	t.Helper()
	for lines.Scan() {
		if strings.Contains(lines.Text(), part) {
			return
		}
	}
	require.Fail(t, "kcat has ended before it showed "+part, "%v", lines.Err())
}
