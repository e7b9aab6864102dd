package id_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
)

// Identifiers sort by the time they were made, also as text: keysets and indexes rely on it.
func TestNewIdentifiersSortByTime(t *testing.T) {
	t.Parallel()
	made := make([]string, 1000)
	for i := range made {
		next := id.New()
		require.Equal(t, uuid.Version(7), uuid.UUID(next).Version())
		made[i] = next.String()
	}
	require.True(t, slices.IsSorted(made))
	require.Len(t, slices.Compact(made), 1000)
}

func TestOneIdentifierHasOneSpelling(t *testing.T) {
	t.Parallel()
	text := "0192f3a4-0000-7000-8000-00000000000a"
	parsed, err := id.Parse(text)
	require.NoError(t, err)
	require.Equal(t, text, parsed.String())
	upper, err := id.Parse(strings.ToUpper(text))
	require.NoError(t, err)
	require.Equal(t, parsed, upper)
	for _, wrong := range []string{
		"", "x", "{" + text + "}", "urn:uuid:" + text, strings.ReplaceAll(text, "-", ""), text + " ", " " + text[:35],
		text[:35] + "g", strings.Replace(text, "-", "0", 1), text[:35] + "\x00",
	} {
		_, err := id.Parse(wrong)
		require.ErrorIs(t, err, id.ErrInvalid, "%q", wrong)
	}
	require.Panics(t, func() { id.MustParse("x") })
	require.Equal(t, parsed, id.ParseOrZero(text))
	require.True(t, id.ParseOrZero(text+" ").IsZero())
}

func TestZeroIsNone(t *testing.T) {
	t.Parallel()
	require.True(t, id.ID{}.IsZero())
	require.False(t, id.New().IsZero())
	require.Empty(t, id.ID{}.String())
	encoded, err := json.Marshal(map[string]id.ID{"none": {}})
	require.NoError(t, err)
	require.JSONEq(t, `{"none":""}`, string(encoded))
	var decoded map[string]id.ID
	require.NoError(t, json.Unmarshal([]byte(`{"none":""}`), &decoded))
	require.True(t, decoded["none"].IsZero())
	require.Error(t, json.Unmarshal([]byte(`{"none":"x"}`), &decoded))
}

func TestTextIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var made id.ID
		copy(made[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		text, err := made.MarshalText()
		require.NoError(t, err)
		var read id.ID
		require.NoError(t, read.UnmarshalText(text))
		require.Equal(t, made, read)
	})
}

func TestAppendText(t *testing.T) {
	t.Parallel()
	for _, value := range []id.ID{{}, {1}, id.New(), id.MustParse("01a202a2-8586-7a51-b55b-f190f638ee17")} {
		text, err := value.AppendText([]byte("before "))
		require.NoError(t, err)
		require.Equal(t, "before "+value.String(), string(text))
	}
}
