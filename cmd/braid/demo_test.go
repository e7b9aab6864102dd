package main

import (
	"bytes"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// execute runs a command line in this process and returns its error.
func execute(t *testing.T, arguments ...string) error {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(arguments)
	return root.ExecuteContext(t.Context())
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return "http://" + listener.Addr().String()
}

func TestDemoSaysWhichFlagNamesTheInstance(t *testing.T) {
	t.Parallel()
	err := execute(t, "demo", "--data-dir", t.TempDir(), "--url", closedPort(t))
	require.ErrorContains(t, err, "connection refused")
	require.ErrorContains(t, err, "--url says where")
	require.ErrorContains(t, execute(t, "demo", "--url", "127.0.0.1:8080"), `--url: "127.0.0.1:8080" is not an address`)
	require.ErrorContains(t, execute(t, "demo", "--admin-url", ""), `--admin-url: "" is not an address`)
}
