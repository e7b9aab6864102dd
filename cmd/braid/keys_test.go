package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keys runs a command on the keys of a running up, and returns the lines it prints.
func (r *running) keys(t *testing.T, arguments ...string) []string {
	t.Helper()
	command := exec.Command(os.Args[0], append(append([]string{"keys"}, arguments...), "--data-dir", r.dataDir)...)
	command.Env = r.command.Env
	printed, err := command.CombinedOutput()
	require.NoError(t, err, string(printed))
	return strings.Split(strings.TrimSpace(string(printed)), "\n")
}

func TestKeysRotateBesideARunningUp(t *testing.T) {
	t.Parallel()
	up := startUp(t)
	require.Eventually(t, func() bool { return strings.Contains(up.said(), "braid is up") }, time.Minute, 50*time.Millisecond)
	list := up.keys(t, "list")
	require.Len(t, list, 1)
	require.Contains(t, list[0], " signs since ")
	first := strings.Fields(list[0])[0]

	next := up.keys(t, "rotate")
	require.Contains(t, next[0], " signs from ")
	list = up.keys(t, "list")
	require.Len(t, list, 2)
	require.Equal(t, next[0], list[0], "the next key is published and waits")
	require.True(t, strings.HasPrefix(list[1], first+" signs since "), list[1])

	now := strings.Fields(up.keys(t, "rotate", "--now")[0])[0]
	list = up.keys(t, "list")
	require.Len(t, list, 1, "the others are given up")
	require.True(t, strings.HasPrefix(list[0], now+" signs since "), list[0])
}
