package audit

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// forbidden is what nobody may do; the bodies may be deleted, so only changing and emptying them is.
var forbidden = []string{
	`update audit_record set action = 'nothing'`,
	`update audit_record set action = action where id is null`,
	`delete from audit_record`,
	`delete from audit_record where id is null`,
	`truncate audit_record cascade`,
	`insert into audit_record select * from audit_record on conflict (event_id) do update set action = 'nothing'`,
	`update audit_entry set actor_id = null`,
	`delete from audit_entry`,
	`truncate audit_entry`,
	`update audit_body set body = '{}'`,
	`truncate audit_body`,
}

func TestTheTrailIsPermanentForEveryRole(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID, userID := id.New(), id.New()
	bundle.hear(t, joined(t, organizationID, userID, 1), loginFailed(t, userID, 2))
	before := bundle.dump(t)
	roles := map[string]func(string) error{
		"app": func(sql string) error {
			return bundle.database.DB.InTx(t.Context(), pg.Scope{OrganizationID: organizationID}, execute(sql))
		},
		"worker":                             func(sql string) error { return bundle.database.DB.InWorkerTx(t.Context(), execute(sql)) },
		"owner":                              statement(t, bundle.database.Owner, ""),
		"admin":                              statement(t, bundle.database.Admin, ""),
		"a replicating session of the admin": statement(t, bundle.database.Admin, `set session_replication_role = replica;`),
	}
	for name, run := range roles {
		for _, sql := range forbidden {
			err := run(sql)
			if name == "app" || name == "worker" {
				require.ErrorContains(t, err, "permission denied", "%s: %s", name, sql)
			} else {
				require.ErrorContains(t, err, "the audit trail is permanent", "%s: %s", name, sql)
			}
		}
	}
	// Nor does a grant that somebody gives by mistake open it.
	_, err := bundle.database.Owner.Exec(t.Context(), `grant all on audit_record, audit_entry, audit_body to `+
		pg.WorkerRole(bundle.database.Name)+`, `+pg.AppRole(bundle.database.Name))
	require.NoError(t, err)
	for _, name := range []string{"app", "worker"} {
		for _, sql := range forbidden {
			require.ErrorContains(t, roles[name](sql), "permanent", "%s: %s", name, sql)
		}
	}
	require.Equal(t, before, bundle.dump(t))
}

func execute(sql string) func(context.Context, *pg.Tx) error {
	return func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	}
}

// statement runs a statement after a preparation, in one transaction.
func statement(t *testing.T, pool *pgxpool.Pool, before string) func(string) error {
	return func(sql string) error {
		tx, err := pool.Begin(t.Context())
		require.NoError(t, err)
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		if before != "" {
			_, err = tx.Exec(t.Context(), before)
			require.NoError(t, err)
		}
		_, err = tx.Exec(t.Context(), sql)
		return err
	}
}

func TestErasingABodyLeavesTheRecordAndItsProof(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	organizationID, ben := id.New(), id.New()
	token, _ := bundle.SignIn(organizationID, "admin")
	other := created(t, organizationID, 1)
	byBen := make([]bus.Event, 0, 5)
	for second := range 5 {
		event := created(t, organizationID, 10+second)
		event.Actor.UserID = ben
		byBen = append(byBen, event)
	}
	about := loginFailed(t, ben, 20)
	bundle.hear(t, append(byBen, other, joined(t, organizationID, ben, 2), about)...)
	before := map[string]map[string]any{}
	for _, record := range bundle.list(t, token, organizationID, "", "0") {
		before[record["eventId"].(string)] = record
	}
	require.Len(t, before, 8)

	erase := func(atMost int) (erased int) {
		require.NoError(t, bundle.database.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) (err error) {
			erased, err = bundle.app.EraseBodies(ctx, tx, ben, atMost)
			return err
		}))
		return erased
	}
	require.Equal(t, 4, erase(4))
	require.Equal(t, 2, erase(4))
	require.Zero(t, erase(4))

	gone := idsOf(append(byBen, about)...)
	for _, record := range bundle.list(t, token, organizationID, "", "0") {
		was := before[record["eventId"].(string)]
		if !slices.Contains(gone, record["eventId"].(string)) {
			require.Equal(t, was, record, "nobody else's body is touched")
			continue
		}
		require.Equal(t, true, record["erased"])
		require.NotContains(t, record, "payload")
		require.Empty(t, record["clientAddress"])
		require.Len(t, was["bodyHash"], 64)
		for _, kept := range []string{"id", "action", "actorKind", "actorId", "resourceType", "resourceId", "correlationId", "createTime", "source", "bodyHash"} {
			require.Equal(t, was[kept], record[kept], kept)
		}
	}
	bundle.hear(t, byBen[0])
	require.Zero(t, erase(1), "an event that comes again does not bring its body back")

	// The app role, which serves requests, can't erase.
	err := bundle.database.DB.InTx(t.Context(), pg.Scope{OrganizationID: organizationID}, func(ctx context.Context, tx *pg.Tx) error {
		_, err := bundle.app.EraseBodies(ctx, tx, ben, 1)
		return err
	})
	require.ErrorContains(t, err, "permission denied")
}
