package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// operator runs a command on the operators of a running up.
func (r *running) operator(arguments ...string) (string, error) {
	command := exec.Command(os.Args[0], append(append([]string{"operator"}, arguments...), "--data-dir", r.dataDir)...)
	command.Env = r.command.Env
	printed, err := command.CombinedOutput()
	return strings.TrimSpace(string(printed)), err
}

func TestOperatorsAreMadeBesideARunningUp(t *testing.T) {
	t.Parallel()
	up := startUp(t)
	require.Eventually(t, func() bool { return strings.Contains(up.said(), "braid is up") }, time.Minute, 50*time.Millisecond)
	said, err := up.operator("list")
	require.NoError(t, err, said)
	require.Empty(t, said, "nobody is one from the beginning")
	said, err = up.operator("create", "--email", "Ada@example.com", "--role", "admin")
	require.NoError(t, err, said)
	require.Contains(t, said, "Ada@example.com is an operator with the role admin")
	said, err = up.operator("list")
	require.NoError(t, err, said)
	require.Regexp(t, `^\S{36} admin Ada@example.com since \S+Z \(no second factor yet\)$`, said)
	for wanted, arguments := range map[string][]string{
		"OPERATOR_EXISTS":                  {"create", "--email", "ada@example.com", "--role", "support"},
		"one of [support system admin]":    {"create", "--email", "ben@example.com", "--role", "owner"},
		`required flag(s) "email", "role"`: {"create"},
		"ben@example.com is no operator":   {"remove", "--email", "ben@example.com"},
	} {
		said, err = up.operator(arguments...)
		require.Error(t, err, wanted)
		require.Contains(t, said, wanted)
	}
	said, err = up.operator("remove", "--email", "ada@example.com")
	require.NoError(t, err, said)
	said, err = up.operator("list")
	require.NoError(t, err, said)
	require.Empty(t, said)
}
