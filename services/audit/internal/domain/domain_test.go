package domain_test

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/audit/internal/domain"
)

func TestParseResource(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]domain.Resource{
		"task/0199": {Type: "task", ID: "0199"},
		"a/b/c":     {Type: "a", ID: "b/c"},
		"task":      {Type: "task"},
		"/0199":     {ID: "0199"},
		"":          {},
	} {
		require.Equal(t, want, domain.ParseResource(subject), subject)
	}
}

func TestABodyBelongsToWhoActedElseToWhomItIsAbout(t *testing.T) {
	t.Parallel()
	ada, ben := id.New(), id.New()
	require.Equal(t, ada, domain.Fact{ActorID: ada, PersonID: ben}.BodyOwner())
	require.Equal(t, ben, domain.Fact{PersonID: ben}.BodyOwner())
	require.Zero(t, domain.Fact{}.BodyOwner())
}

// What is sealed opens to the same, and its hash is that of salt and text: anybody can check it with two columns.
func TestASealedBodyOpensAndProvesItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		payload, err := json.MarshalIndent(rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "payload"), "", "  ")
		require.NoError(t, err)
		body := domain.Body{ClientAddress: rapid.String().Draw(t, "address"), Payload: payload}
		salt := rapid.SliceOfN(rapid.Byte(), domain.SaltSize, domain.SaltSize).Draw(t, "salt")
		sealed, err := body.Seal(salt)
		require.NoError(t, err)
		hash := sha256.Sum256(append(slices.Clone(salt), sealed.Text...))
		require.Equal(t, hash[:], sealed.Hash)

		opened, err := domain.OpenBody(sealed.Text)
		require.NoError(t, err)
		require.JSONEq(t, string(payload), string(opened.Payload))
		again, err := opened.Seal(salt)
		require.NoError(t, err)
		require.Equal(t, sealed.Text, again.Text, "one body has one text")

		other := slices.Clone(salt)
		other[0] ^= 1
		differently, err := body.Seal(other)
		require.NoError(t, err)
		require.NotEqual(t, sealed.Hash, differently.Hash)
	})
}

func TestAnEmptyPayloadIsNotAMissingOne(t *testing.T) {
	t.Parallel()
	salt := make([]byte, domain.SaltSize)
	empty, err := domain.Body{Payload: json.RawMessage(`{}`)}.Seal(salt)
	require.NoError(t, err)
	missing, err := domain.Body{}.Seal(salt)
	require.NoError(t, err)
	require.JSONEq(t, `{"payload":{}}`, string(empty.Text))
	require.JSONEq(t, `{}`, string(missing.Text))
	opened, err := domain.OpenBody(missing.Text)
	require.NoError(t, err)
	require.Nil(t, opened.Payload)
}

func TestABadSaltOrBodyIsRefused(t *testing.T) {
	t.Parallel()
	_, err := domain.Body{}.Seal(make([]byte, 16))
	require.Error(t, err)
	_, err = domain.Body{Payload: json.RawMessage(`{`)}.Seal(make([]byte, domain.SaltSize))
	require.Error(t, err)
	_, err = domain.OpenBody([]byte(`[]`))
	require.Error(t, err)
}
