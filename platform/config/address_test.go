package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"127.0.0.1:8080": true, ":0": true, "[::1]:65535": true, "host:99999": false, "host:-1": false, "host": false, "host:http": false,
	} {
		require.Equal(t, good, IsListenAddress(text), text)
	}
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true}, {":1", "127.0.0.1:1", true}, {"10.0.0.1:1", "[::]:1", true},
		{"127.0.0.1:1", "127.0.0.2:1", false}, {"127.0.0.1:0", "127.0.0.1:0", false}, {"", "127.0.0.1:1", false},
	} {
		require.Equal(t, test.same, SameAddress(test.a, test.b), "%s %s", test.a, test.b)
	}
}
