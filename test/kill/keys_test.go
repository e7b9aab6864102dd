package kill_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// TestKillWhileKeysRotate kills the process, now and then with its PostgreSQL, while somebody rotates the signing keys.
// After each recovery one key signs, and a token is good exactly as long as its key is there, which only the emergency
// form of the command may end.
func TestKillWhileKeysRotate(t *testing.T) {
	requireAsked(t)
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: makeDirectory(t), Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	plan := readPlan(t, "BRAID_TEST_KILL_KEYS_COUNT", 10)
	speaker := client.New(running.URL, running.AdminURL)
	ada, err := speaker.SignUp(t.Context(), "Ada")
	require.NoError(t, err)
	tokens := map[string]string{}
	kept, rotated := 0, 0
	for kills := 0; plan.goesOn(kills); {
		session := *ada
		require.NoError(t, speaker.Login(t.Context(), &session))
		tokens[session.Token] = keyOf(t, session.Token)
		before := listKeys(t, running)

		arguments := []string{"keys", "rotate"}
		emergency := plan.oneIn(3)
		if emergency {
			arguments = append(arguments, "--now")
		}
		command := running.Command(t.Context(), arguments...)
		require.NoError(t, command.Start())
		_ = clock.Sleep(t.Context(), plan.between(0, 300*time.Millisecond))
		more, err := killWhole(t.Context(), running, plan)
		require.NoError(t, err)
		kills += more
		// It may have been cut off, before its transaction or after.
		_ = command.Wait()

		after := listKeys(t, running)
		if !slices.Equal(before, after) {
			rotated++
		}
		for token, keyID := range tokens {
			listed := slices.Contains(after, keyID)
			require.True(t, listed || emergency, "only the emergency form gives a key up")
			answer, err := speaker.Do(t.Context(), &client.Person{Token: token}, http.MethodGet, "/api/v1/me", nil)
			require.NoError(t, err)
			if listed {
				require.Equal(t, http.StatusOK, answer.Status, "%s", answer.Raw)
				kept++
				continue
			}
			require.Equal(t, http.StatusUnauthorized, answer.Status)
			delete(tokens, token)
		}
	}
	t.Logf("%d rotations took place; %d times a token from before was good", rotated, kept)
	require.Positive(t, kept)
	require.Positive(t, rotated, "every rotation was cut off")
}

// listKeys returns the keys that verify, after looking whether one of them signs.
func listKeys(t *testing.T, running *deployment.Deployment) (keyIDs []string) {
	t.Helper()
	printed, err := running.Command(t.Context(), "keys", "list").Output()
	require.NoError(t, err)
	signing := 0
	for line := range strings.Lines(string(printed)) {
		if strings.Contains(line, " signs since ") {
			signing++
		}
		keyIDs = append(keyIDs, strings.Fields(line)[0])
	}
	require.Equal(t, 1, signing, "%s", printed)
	return keyIDs
}

// keyOf names the key that a token was signed with.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(first)
	require.NoError(t, err)
	var header struct{ Kid string }
	require.NoError(t, json.Unmarshal(decoded, &header))
	require.NotEmpty(t, header.Kid)
	return header.Kid
}
