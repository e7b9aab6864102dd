package token_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// weakKeys are the points of small order, for which anybody can sign anything, with the spellings of them that are not the
// one of RFC 8032; and what is no point at all.
var weakKeys = map[string]string{
	"order 1":              "0100000000000000000000000000000000000000000000000000000000000000",
	"order 1, other sign":  "0100000000000000000000000000000000000000000000000000000000000080",
	"order 2":              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 4":              "0000000000000000000000000000000000000000000000000000000000000000",
	"order 4, other sign":  "0000000000000000000000000000000000000000000000000000000000000080",
	"order 8":              "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"order 8, other sign":  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"order 8, other":       "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"order 8, other, sign": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"order 4, otherwise":   "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 1, otherwise":   "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"more than the prime":  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"not on the curve":     "0200000000000000000000000000000000000000000000000000000000000000",
}

func edwardsKey(x []byte) domain.PublicKey {
	return domain.PublicKey{Type: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(x)}
}

func TestAKeyThatAnybodyCanSignForIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range weakKeys {
		x, err := hex.DecodeString(text)
		require.NoError(t, err)
		require.Error(t, token.CheckPublicKey(edwardsKey(x)), name)
	}
	for range 20 {
		public, _, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		require.NoError(t, token.CheckPublicKey(edwardsKey(public)))
	}
}
