package workflow

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

var tenantTables = []string{"project", "task", "comment", "project_change"}

func TestWrongOrganizationSeesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	task := f.task(f.project("WEB"), map[string]any{})["id"].(string)
	f.must("POST", f.path("/tasks/"+task+"/comments"), f.memberToken, map[string]any{"body": "Hm"})
	for _, table := range tenantTables {
		count := func(scope pg.Scope) (rows int) {
			require.NoError(t, f.database.Read(scope).QueryRow(t.Context(), `select count(*) from `+table).Scan(&rows))
			return rows
		}
		require.Positive(t, count(pg.Scope{OrganizationID: f.organizationID}), table)
		require.Zero(t, count(pg.Scope{OrganizationID: id.New(), UserID: f.memberID}), table)
		require.Zero(t, count(pg.Scope{}), table)
	}
	stranger := pg.Scope{OrganizationID: id.New()}
	for _, statement := range []string{
		`update project set archived = true`, `update task set title = 'x'`, `delete from task`, `update comment set body = 'x'`,
		`delete from comment`,
	} {
		require.NoError(t, f.database.InTx(t.Context(), stranger, func(ctx context.Context, tx *pg.Tx) error {
			tag, err := tx.Exec(ctx, statement)
			require.Zero(t, tag.RowsAffected(), statement)
			return err
		}))
	}
}

// Foreign keys look past row-level security, so each holds the organization.
func TestRowsOfOneOrganizationCantHangOnAnothers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.project("WEB")
	task := f.task(project, map[string]any{})["id"].(string)
	stranger := pg.Scope{OrganizationID: id.New()}
	for table, insert := range map[string]struct {
		sql, parent string
		constraint  string
	}{
		"task": {`insert into task (organization_id, id, project_id, number, project_key, title,
			description, status, priority, reporter_id, labels, created_at, updated_at, revision)
			values ($1, $2, $3, 99, 'WEB', 'x', '', 'todo', 2, $2, '{}', now(), now(), 1)`, project, "task_organization_id_project_id_fkey"},
		"comment": {`insert into comment (organization_id, id, task_id, author_id, body, created_at,
			updated_at, revision) values ($1, $2, $3, $2, 'x', now(), now(), 1)`, task, "comment_organization_id_task_id_fkey"},
		// Without a key: such a row is the stranger's own, of a project that they do not have.
		"project_change": {`insert into project_change (organization_id, project_id, revision,
			payload, created_at) select $1, $3, 99, '', now() where $2::uuid is not null`, project, ""},
	} {
		attempt := func(organizationID id.ID) error {
			return f.database.InTx(t.Context(), stranger, func(ctx context.Context, tx *pg.Tx) error {
				_, err := tx.Exec(ctx, insert.sql, organizationID, id.New(), id.MustParse(insert.parent))
				return err
			})
		}
		err := attempt(stranger.OrganizationID)
		require.Equal(t, insert.constraint, pg.ConstraintOf(err), "%v", err)
		// Nor can a row be put into an organization that is not the caller's.
		var server *pgconn.PgError
		require.ErrorAs(t, attempt(f.organizationID), &server)
		require.Equal(t, "42501", server.Code, table)
	}
}

// Each role may do what its use cases do, and no more.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	refused := func(run func(func(context.Context, *pg.Tx) error) error, statement string) {
		err := run(func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		})
		var server *pgconn.PgError
		require.ErrorAs(t, err, &server, statement)
		require.Equal(t, "42501", server.Code, statement)
	}
	app := func(work func(context.Context, *pg.Tx) error) error {
		return f.database.InTx(t.Context(), pg.Scope{OrganizationID: f.organizationID}, work)
	}
	worker := func(work func(context.Context, *pg.Tx) error) error { return f.database.InWorkerTx(t.Context(), work) }
	for _, statement := range []string{
		`delete from project`, `update project set key = 'X'`, `update project set organization_id = gen_random_uuid()`,
		`update task set number = 1`, `update task set organization_id = gen_random_uuid()`, `update task set reporter_id = id`,
		`update comment set author_id = id`, `update project_change set payload = ''`, `delete from project_change`, `truncate task`,
	} {
		refused(app, statement)
	}
	for _, statement := range []string{
		`update comment set body = 'x'`, `update task set title = 'x'`, `delete from task`, `insert into project select * from project`,
		`update project set archived = true`, `update project_change set payload = ''`,
	} {
		refused(worker, statement)
	}
}
