package organization

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// prepared has the service answer whether it can let somebody go, and keeps what platform/erasure keeps.
func (b *testBundle) prepareLeaving(t *testing.T, who person) (refusal string) {
	t.Helper()
	require.NoError(t, b.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) (err error) {
		if refusal, err = b.app.Leaving(nil).Refuse(ctx, tx, who.UserID); err != nil || refusal != "" {
			return err
		}
		_, err = tx.Exec(ctx, `insert into erasure (id, attempt_id, phase, kind) values ($1, $2, 'prepared', 'person')`, who.UserID, id.New())
		return err
	}))
	return refusal
}

// Of two owners who go, one after the other, the second would leave the organization alone.
func TestWhoIsLetGoIsNoOwnerToCountOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada, ben := b.meet("ada"), b.meet("ben")
	organizationID, path := b.found(t, ada, "Acme")
	b.join(t, ada, path, ben, "owner")
	alone := func(who person) []id.ID {
		found, err := b.app.ListSoleOwnerships(t.Context(), who.UserID)
		require.NoError(t, err)
		return found
	}
	require.Empty(t, alone(ada))
	require.Empty(t, b.prepareLeaving(t, ada))
	require.Equal(t, []id.ID{organizationID}, alone(ben))
	require.NotEmpty(t, b.prepareLeaving(t, ben))
	require.Equal(t, "LAST_OWNER", b.REST("DELETE", memberPath(path, ben), ben.token, nil).Reason())

	// When nothing comes of it, both count again.
	_, err := b.database.Admin.Exec(t.Context(), `delete from erasure`)
	require.NoError(t, err)
	require.Empty(t, alone(ben))
	require.Equal(t, 200, b.REST("DELETE", memberPath(path, ben), ben.token, nil).Status)
	require.Equal(t, []id.ID{organizationID}, alone(ada))
}
