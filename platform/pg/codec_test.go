package pg_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

func TestIdentifiersAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	identifier := rapid.Custom(func(t *rapid.T) id.ID {
		return id.ID(uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes")))
	})
	for _, querier := range []pg.Querier{b.DB.Read(b.mine), b.DB.Point(b.mine)} {
		rapid.Check(t, func(check *rapid.T) {
			one, many := identifier.Draw(check, "one"), rapid.SliceOf(identifier).Draw(check, "many")
			var gotOne id.ID
			var text string
			var gotMany []id.ID
			err := querier.QueryRow(t.Context(), `select $1::uuid, coalesce($1::uuid::text, ''), $2::uuid[]`, one, many).
				Scan(&gotOne, &text, &gotMany)
			require.NoError(check, err)
			require.Equal(check, one, gotOne)
			require.Equal(check, one.String(), text)
			require.ElementsMatch(check, many, gotMany)
		})
		var missing *id.ID
		var none id.ID
		present, pointed := id.New(), &none
		var isNull bool
		err := querier.QueryRow(t.Context(), `select $1::uuid, $2::uuid is null, null::uuid, $3::uuid`, missing, id.ID{}, &present).
			Scan(&missing, &isNull, &none, &pointed)
		require.NoError(t, err)
		require.Nil(t, missing)
		require.True(t, isNull)
		require.True(t, none.IsZero())
		require.Equal(t, present, *pointed)
	}
}
