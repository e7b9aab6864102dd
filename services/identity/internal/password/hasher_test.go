package password_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/services/identity/internal/password"
)

func newHasher(t *testing.T, concurrency, queue int) *password.Hasher {
	t.Helper()
	return password.New(password.Config{
		Parameters: password.Parameters{MemoryKiB: 64, Iterations: 1, Parallelism: 1}, Concurrency: concurrency, Queue: queue,
	}, prometheus.NewRegistry())
}

func TestHashAndVerify(t *testing.T) {
	t.Parallel()
	hasher := newHasher(t, 1, 1)
	hash, err := hasher.Hash(t.Context(), "pässword")
	require.NoError(t, err)
	require.Regexp(t, `^\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`, hash)
	again, err := hasher.Hash(t.Context(), "pässword")
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "every hash has a salt of its own")
	for text, want := range map[string]bool{
		"pässword":       true,
		"pa\u0308ssword": true, // the same letters in another normal form
		"passwort":       false,
		"":               false,
		"pässword ":      false,
	} {
		right, err := hasher.Verify(t.Context(), hash, text)
		require.NoError(t, err)
		require.Equal(t, want, right, "%q", text)
	}
	right, err := hasher.Verify(t.Context(), "", "pässword")
	require.NoError(t, err)
	require.False(t, right, "nobody's password is never right")
}

func TestVerifyUsesTheParametersOfTheHash(t *testing.T) {
	t.Parallel()
	other := password.New(password.Config{
		Parameters: password.Parameters{MemoryKiB: 128, Iterations: 3, Parallelism: 2}, Concurrency: 1, Queue: 1,
	}, prometheus.NewRegistry())
	hash, err := other.Hash(t.Context(), "password")
	require.NoError(t, err)
	hasher := newHasher(t, 1, 1)
	right, err := hasher.Verify(t.Context(), hash, "password")
	require.NoError(t, err)
	require.True(t, right)
	require.True(t, hasher.Outdated(hash))
	require.False(t, other.Outdated(hash))
}

func TestMalformedHashesAreRefused(t *testing.T) {
	t.Parallel()
	hasher := newHasher(t, 1, 1)
	hash, err := hasher.Hash(t.Context(), "password")
	require.NoError(t, err)
	for _, bad := range []string{
		"x", "$argon2i" + hash[9:], strings.Replace(hash, "v=19", "v=16", 1), strings.Replace(hash, "m=64", "m=0", 1),
		strings.Replace(hash, "m=64", "m=99999999", 1), strings.Replace(hash, "t=1", "t=0", 1), strings.Replace(hash, "t=1", "t=1000", 1),
		strings.Replace(hash, "p=1", "p=0", 1), hash[:len(hash)-2], hash + "$",
	} {
		right, err := hasher.Verify(t.Context(), bad, "password")
		require.Error(t, err, bad)
		require.False(t, right)
		require.NotContains(t, err.Error(), hash[len(hash)-20:], "the error doesn't repeat the hash")
	}
}

func TestMoreThanTheQueueHoldsIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hasher := newHasher(t, 1, 2)
		leave := hasher.Occupy()
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		for range cap(results) {
			go func() { _, err := hasher.Hash(ctx, "password"); results <- err }()
		}
		synctest.Wait()
		_, err := hasher.Hash(t.Context(), "password")
		require.Equal(t, errs.ResourceExhausted, errs.KindOf(err))
		require.Equal(t, "OVERLOADED", errs.From(err).Reason)
		require.Equal(t, time.Second, errs.From(err).RetryAfter)
		cancel()
		require.ErrorIs(t, <-results, context.Canceled, "who goes away gives up the place")
		require.ErrorIs(t, <-results, context.Canceled)
		go func() { _, err := hasher.Hash(t.Context(), "password"); results <- err }()
		synctest.Wait()
		leave()
		require.NoError(t, <-results, "who waits gets a turn")
	})
}
