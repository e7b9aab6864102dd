//go:build unix

package embedded

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAttachFindsARunningServer(t *testing.T) {
	t.Parallel()
	for name, loopback := range map[string]bool{"socket": false, "loopback": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := newDirectory(t)
			server := startServer(t, Config{DataDir: directory, Volatile: true, Loopback: loopback})
			require.NoError(t, server.EnsureDatabase(t.Context(), "workflow"))
			running, err := Attach(directory)
			require.NoError(t, err)
			for url, user := range map[string]string{running.URL("workflow"): ownerRole("workflow"), running.SuperuserURL("workflow"): superuser} {
				var found string
				require.NoError(t, connect(t, url).QueryRow(t.Context(), "select current_user").Scan(&found))
				require.Equal(t, user, found)
			}
		})
	}
}

func TestAttachFindsNothingWhereNothingRuns(t *testing.T) {
	t.Parallel()
	_, err := Attach(newDirectory(t))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
