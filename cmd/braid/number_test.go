package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersOutOfBoundsAreRefusedByTheirFlag(t *testing.T) {
	t.Parallel()
	for flag, command := range map[string][]string{"limit": {"dlq", "list", "audit"}, "last": {"events", "tail"}} {
		for _, number := range []string{"-5", "1000001", "99999999999999999999", "1.5", "x", ""} {
			err := execute(t, append(command, "--"+flag+"="+number)...)
			require.ErrorContains(t, err, `"--`+flag+`"`, number)
			require.ErrorContains(t, err, "it takes a whole number from ", number)
			require.NotContains(t, err.Error(), "\n")
		}
	}
	require.ErrorContains(t, execute(t, "dlq", "list", "audit", "--limit=0"), "from 1 to 1000000")
}

func TestLettersAreCountedOnce(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"b", "a"}, distinct([]string{"b", "a", "b", "b"}))
}
