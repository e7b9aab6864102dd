package token_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/token"
)

func newKeys(t *testing.T) *secret.Keys {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, secret.Init(dir, []string{"identity"}))
	keys, err := secret.Load(dir, "identity")
	require.NoError(t, err)
	return keys
}

func TestCodesBelongToTheirRegistration(t *testing.T) {
	t.Parallel()
	keys, other := newKeys(t), newKeys(t)
	registrationID, nonce := id.New(), token.NewNonce()
	code := token.Code(keys, registrationID, nonce)
	require.Regexp(t, `^[0-9]{6}$`, code)
	require.Equal(t, code, token.Code(keys, registrationID, nonce), "it can be derived again")
	// Two codes may be the same by chance, once in a million; four in a row may not.
	distinct := map[string]bool{}
	for range 4 {
		distinct[token.Code(keys, registrationID, token.NewNonce())] = true
		distinct[token.Code(keys, id.New(), nonce)] = true
		distinct[token.Code(other, registrationID, nonce)] = true
	}
	require.Greater(t, len(distinct), 8)

	require.Equal(t, token.HashCode(keys, registrationID, code), token.HashCode(keys, registrationID, code))
	require.NotEqual(t, token.HashCode(keys, registrationID, code), token.HashCode(keys, id.New(), code))
	require.NotEqual(t, token.HashCode(keys, registrationID, code), token.HashCode(other, registrationID, code))
}

func TestRefreshTokensHave256Bits(t *testing.T) {
	t.Parallel()
	made := token.NewRefresh()
	bits, err := base64.RawURLEncoding.DecodeString(made)
	require.NoError(t, err)
	require.Len(t, bits, 32)
	require.NotEqual(t, made, token.NewRefresh())
	require.Len(t, token.HashRefresh("whatever was presented"), 32)
}

func TestOnlyTheTokenOpensItsAnswer(t *testing.T) {
	t.Parallel()
	used := token.NewRefresh()
	sealed, err := token.SealAnswer(used, []byte("the answer"))
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "answer")
	opened, err := token.UnsealAnswer(used, sealed)
	require.NoError(t, err)
	require.Equal(t, "the answer", string(opened))
	_, err = token.UnsealAnswer(token.NewRefresh(), sealed)
	require.ErrorIs(t, err, secret.ErrUnseal)
	sealed[len(sealed)-1] ^= 1
	_, err = token.UnsealAnswer(used, sealed)
	require.ErrorIs(t, err, secret.ErrUnseal)
}

func TestAddressKey(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	key := token.AddressKey(keys, "ada@example.com")
	require.Equal(t, key, token.AddressKey(keys, "ada@example.com"))
	require.NotEqual(t, key, token.AddressKey(keys, "ben@example.com"))
	require.NotEqual(t, key, token.AddressKey(newKeys(t), "ada@example.com"))
	parsed, err := id.Parse(key.String())
	require.NoError(t, err)
	require.Equal(t, key, parsed)
}
