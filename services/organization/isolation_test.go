package organization

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// Below the API: with the wrong scope SQL sees nothing, whatever the statement says.
func TestRowsOfAnotherOrganizationAreInvisible(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, ben, eve := bundle.meet("ada"), bundle.meet("ben"), bundle.meet("eve")
	acme, path := bundle.found(t, ada, "Acme")
	evil, _ := bundle.found(t, eve, "Evil")
	bundle.join(t, ada, path, ben, "member")
	bundle.invite(t, ada, path, "cleo@example.com", "viewer")

	count := func(scope pg.Scope, table string) (rows int) {
		require.NoError(t, bundle.database.DB.Read(scope).QueryRow(t.Context(), `select count(*) from `+table).Scan(&rows))
		return rows
	}
	for name, test := range map[string]struct {
		scope                                     pg.Scope
		organizations, members, people, invitated int
	}{
		"a member inside":         {pg.Scope{OrganizationID: acme, UserID: ada.UserID}, 1, 2, 2, 2},
		"a service about it":      {pg.Scope{OrganizationID: acme}, 1, 2, 2, 2},
		"a member, nowhere":       {pg.Scope{UserID: ben.UserID}, 1, 1, 1, 0},
		"another organization":    {pg.Scope{OrganizationID: evil, UserID: eve.UserID}, 1, 1, 1, 0},
		"an outsider, elsewhere":  {pg.Scope{OrganizationID: id.New(), UserID: id.New()}, 0, 0, 0, 0},
		"nobody":                  {pg.Scope{}, 0, 0, 0, 0},
		"a member sees what both": {pg.Scope{OrganizationID: evil, UserID: ada.UserID}, 2, 2, 2, 0},
	} {
		require.Equal(t, test.organizations, count(test.scope, "organization"), name)
		require.Equal(t, test.members, count(test.scope, "member"), name)
		require.Equal(t, test.people, count(test.scope, "profile"), name)
		require.Equal(t, test.invitated, count(test.scope, "invitation"), name)
	}
}

func TestRowsOfAnotherOrganizationAreNotWritten(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	ada, eve := bundle.meet("ada"), bundle.meet("eve")
	acme, path := bundle.found(t, ada, "Acme")
	evil, _ := bundle.found(t, eve, "Evil")
	invitationID, _ := bundle.invite(t, ada, path, "cleo@example.com", "viewer")
	scope := pg.Scope{OrganizationID: evil, UserID: eve.UserID}

	run := func(sql string, arguments ...any) (changed int64, err error) {
		err = bundle.database.DB.InTx(t.Context(), scope, func(ctx context.Context, tx *pg.Tx) error {
			tag, err := tx.Exec(ctx, sql, arguments...)
			changed = tag.RowsAffected()
			return err
		})
		return changed, err
	}
	for _, sql := range []string{
		`update organization set display_name = 'mine' where id = $1`,
		`update member set role_ids = '{viewer}' where organization_id = $1`,
		`delete from member where organization_id = $1`,
		`update invitation set state = 'revoked' where organization_id = $1`,
		`update invitation_token set hash = sha256('mine') where organization_id = $1`,
	} {
		changed, err := run(sql, acme)
		require.NoError(t, err, sql)
		require.Zero(t, changed, sql)
	}
	changed, err := run(`update profile set display_name = 'mine' where user_id = $1`, ada.UserID)
	require.NoError(t, err)
	require.Zero(t, changed)

	for _, sql := range []string{
		`insert into member (organization_id, user_id, role_ids, joined_at, revision) values ($1, $2, '{owner}', now(), 1)`,
		`insert into invitation_token (hash, organization_id, invitation_id) values (sha256('x'), $1, $2)`,
	} {
		_, err := run(sql, acme, eve.UserID)
		require.ErrorContains(t, err, "row-level security", sql)
	}
	// The policy lets one's own organization through; the foreign key then sees that the invitation is not its.
	_, err = run(`insert into invitation_token (hash, organization_id, invitation_id) values (sha256('x'), $1, $2)`, evil, invitationID)
	require.Equal(t, "invitation_token_organization_id_invitation_id_fkey", pg.ConstraintOf(err))
}

// The worker role applies identity's events and takes deletions through their states, for which it need not know what an
// organization holds: it sees the revisions, so that it can raise them, and the state. For people's own data it sees who is
// in what and who made what, but neither addresses nor what was written.
func TestTheWorkerSeesNoTenantTable(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for table, column := range map[string]string{
		"organization": "slug", "member": "revision", "invitation": "email", "invitation_token": "*", "role": "*", "role_version": "content", "permission": "*", "policy": "*",
	} {
		var rows int
		err := bundle.database.DB.WorkerRead().QueryRow(t.Context(), `select count(`+column+`) from `+table).Scan(&rows)
		require.ErrorContains(t, err, "permission denied", table)
	}
}
