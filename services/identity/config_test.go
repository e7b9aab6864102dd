package identity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity"
)

func TestConfigRefusesWeakHashes(t *testing.T) {
	t.Parallel()
	good := identity.Config{
		PasswordMemory: 19 << 20, PasswordIterations: 2, PasswordQueue: 64, SessionIdleLifetime: 720 * time.Hour,
		SessionLifetime: 2160 * time.Hour, SessionsPerUser: 50, SigningKeyLifetime: 720 * time.Hour,
		PasswordRangeTimeout: 2 * time.Second, GuessesPerNetwork: 100, GuessesTotal: 10_000, DeletionGrace: 168 * time.Hour,
	}
	problems := func(change func(*identity.Config)) []string {
		config := good
		change(&config)
		keys := []string{}
		config.Validate(func(key, _ string) { keys = append(keys, key) })
		return keys
	}
	require.Empty(t, problems(func(*identity.Config) {}))
	require.Empty(t, problems(func(c *identity.Config) { c.PasswordMemory, c.PasswordIterations = 7<<20, 5 }))
	require.Empty(t, problems(func(c *identity.Config) { c.PasswordMemory, c.PasswordIterations = 64<<20, 1 }))
	require.Equal(t, []string{"password_memory"}, problems(func(c *identity.Config) { c.PasswordIterations = 1 }))
	require.Equal(t, []string{"password_memory"}, problems(func(c *identity.Config) { c.PasswordMemory = 18 << 20 }))
	require.Equal(t, []string{"password_memory"}, problems(func(c *identity.Config) { c.PasswordMemory, c.PasswordIterations = 6<<20, 60 }))
	require.Equal(t, []string{"password_memory"}, problems(func(c *identity.Config) { c.PasswordMemory = 2 << 30 }))
	require.Equal(t, []string{"password_iterations"}, problems(func(c *identity.Config) { c.PasswordIterations = 65 }))
	require.Equal(t, []string{"password_concurrency"}, problems(func(c *identity.Config) { c.PasswordConcurrency = -1 }))
	require.Equal(t, []string{"password_queue"}, problems(func(c *identity.Config) { c.PasswordQueue = -1 }))
	require.Empty(t, problems(func(c *identity.Config) { c.PasswordRangeURL = "https://range.example.com/range" }))
	require.Equal(t, []string{"password_range_url"}, problems(func(c *identity.Config) { c.PasswordRangeURL = "range.example.com" }))
	require.Equal(t, []string{"password_range_timeout"}, problems(func(c *identity.Config) { c.PasswordRangeTimeout = time.Minute }))
	require.Equal(t, []string{"guesses_per_network"}, problems(func(c *identity.Config) { c.GuessesPerNetwork = 0 }))
	require.Equal(t, []string{"guesses_total"}, problems(func(c *identity.Config) { c.GuessesTotal = 99 }))
	require.Equal(t, []string{"session_idle_lifetime"}, problems(func(c *identity.Config) { c.SessionIdleLifetime = time.Minute }))
	require.Equal(t, []string{"session_lifetime"}, problems(func(c *identity.Config) { c.SessionLifetime = 719 * time.Hour }))
	require.Equal(t, []string{"sessions_per_user"}, problems(func(c *identity.Config) { c.SessionsPerUser = 0 }))
	require.Equal(t, []string{"signing_key_lifetime"}, problems(func(c *identity.Config) { c.SigningKeyLifetime = time.Minute }))
}
