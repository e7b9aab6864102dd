package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestByteSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ByteSize{
		"0": 0, "7": 7, "7B": 7, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30, "1KB": 1000, "3MB": 3e6,
	} {
		var got ByteSize
		require.NoError(t, got.UnmarshalText([]byte(text)), text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "-1", "1TB", "1.5MiB", "MiB", "9999999999GiB"} {
		require.Error(t, new(ByteSize).UnmarshalText([]byte(text)), text)
	}
}

func TestByteSizeReadsWhatItWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := ByteSize(rapid.Int64Range(0, 1<<62).Draw(t, "size"))
		var again ByteSize
		require.NoError(t, again.UnmarshalText([]byte(size.String())))
		require.Equal(t, size, again)
	})
}
