package authn

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// TestTokenCacheTellsTokensApart goes both ways through the cache: by a token's memory and by its hash.
func TestTokenCacheTellsTokensApart(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	cache, err := newTokenCache(10, now)
	require.NoError(t, err)
	asked := 0
	good := strings.Repeat("good", 100)
	userID := id.New()
	look := func(token string) (call.Actor, error) {
		known, err := cache.verify(token, func() (verified, error) {
			asked++
			if token != good {
				return verified{}, errTokenInvalid
			}
			return verified{actor: call.Actor{UserID: userID}, expires: now.Now().Add(time.Minute)}, nil
		})
		return known.actor, err
	}
	for _, token := range []string{good, good, strings.Clone(good), strings.Clone(good)} {
		actor, err := look(token)
		require.NoError(t, err)
		require.Equal(t, userID, actor.UserID)
	}
	require.Equal(t, 1, asked)
	// Whatever slot they fall into: of the same length, part of the same memory, or nothing at all.
	for _, token := range []string{strings.Repeat("evil", 100), good[:399], good[4:], ""} {
		for range 200 {
			_, err := look(strings.Clone(token))
			require.Error(t, err, "%.8s", token)
			_, err = look(token)
			require.Error(t, err, "%.8s", token)
		}
	}
	now.Advance(time.Minute)
	_, err = look(good)
	require.ErrorIs(t, err, errTokenInvalid, "it has expired, however lately it was seen")
}
