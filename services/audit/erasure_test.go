package audit

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
)

// bodies counts the bodies of an organization's own records.
func (b *testBundle) bodies(t *testing.T, organizationID id.ID) (bodies, records int) {
	t.Helper()
	require.NoError(t, b.database.Admin.QueryRow(t.Context(), `select count(record_id), count(*) from audit_record left join audit_body on record_id = id
where organization_id = $1`, organizationID).Scan(&bodies, &records))
	return bodies, records
}

func TestBodiesOfADeletedOrganizationGoAndItsRecordsStay(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	gone, other, ada := id.New(), id.New(), id.New()
	var events []bus.Event
	for second := range 25 {
		for _, organizationID := range []id.ID{gone, other} {
			// Several happen at the same moment.
			events = append(events, newEvent(t, "workflow", organizationID, "task/x", second/3, &workflowv1.TaskCreated{}))
		}
	}
	require.NoError(t, bundle.tryHear(t, events...))
	var total int64
	calls := 0
	for after := ""; calls == 0 || after != ""; calls++ {
		require.Less(t, calls, 10)
		require.NoError(t, bundle.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
			next, erased, err := bundle.app.EraseOrganizationBodies(ctx, tx, gone, after, 10)
			after, total = next, total+erased
			return err
		}))
	}
	require.Equal(t, []any{int64(25), 3}, []any{total, calls})
	bodies, records := bundle.bodies(t, gone)
	require.Equal(t, []int{0, 25}, []int{bodies, records})
	bodies, records = bundle.bodies(t, other)
	require.Equal(t, []int{25, 25}, []int{bodies, records})

	// What is told later leaves a record, and nothing else.
	require.NoError(t, bundle.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return inbox.Forget(ctx, tx, gone, epoch)
	}))
	require.NoError(t, bundle.tryHear(t, joined(t, gone, ada, 60), joined(t, other, ada, 60)))
	bodies, records = bundle.bodies(t, gone)
	require.Equal(t, []int{0, 26}, []int{bodies, records})
	var changes []string
	rows, err := bundle.database.Admin.Query(t.Context(), `select organization_id::text from membership_change`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var organizationID string
		require.NoError(t, rows.Scan(&organizationID))
		changes = append(changes, organizationID)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{other.String()}, changes)
}
