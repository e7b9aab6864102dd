package credential_test

import (
	"crypto/sha256"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/credential"
)

func TestSecretsAreFoundByTheirPattern(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(credential.Pattern)
	seen := map[string]bool{}
	for _, kind := range []credential.Kind{credential.AccessToken, credential.APIKey} {
		for range 200 {
			secret := credential.New(kind)
			require.True(t, strings.HasPrefix(secret, string(kind)))
			require.Equal(t, secret, pattern.FindString("export TOKEN="+secret+" # mine"))
			hash, ok := credential.Check(secret)
			require.True(t, ok)
			require.Equal(t, sha256.Sum256([]byte(secret)), hash)
			require.False(t, seen[secret])
			seen[secret] = true
		}
	}
}

func TestWhatIsNoSecretIsRefused(t *testing.T) {
	t.Parallel()
	secret := credential.New(credential.AccessToken)
	other := []byte(secret)
	for at := len(credential.AccessToken); at < len(secret); at++ {
		other[at] = '0'
		if secret[at] == '0' {
			other[at] = '1'
		}
		_, ok := credential.Check(string(other))
		require.False(t, ok, "another character at %d", at)
		other[at] = secret[at]
	}
	for name, text := range map[string]string{
		"nothing": "", "prefix": string(credential.AccessToken), "shorter": secret[:len(secret)-1], "longer": secret + "0",
		"other kind": string(credential.APIKey) + secret[len(credential.AccessToken):], "no kind": "braid_xyz_" + secret[len(credential.AccessToken):],
		"a JWT": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln",
	} {
		_, ok := credential.Check(text)
		require.False(t, ok, name)
	}
	require.True(t, credential.Claims(secret))
	require.False(t, credential.Claims("eyJhbGciOiJFZERTQSJ9.e30.c2ln"))
}
