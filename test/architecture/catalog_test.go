package architecture_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
	"github.com/braidhq/braid/testkit/pgtest"
)

// databases are those of the services.
var databases = map[string]func() []pg.MigrationSet{
	audit.Name: audit.Migrations, identity.Name: identity.Migrations, notification.Name: notification.Migrations,
	organization.Name: organization.Migrations, workflow.Name: workflow.Migrations,
}

// describeCatalog makes what the rules look at: the tables and views that are not PostgreSQL's own.
const describeCatalog = `create temporary view relation as
select relation.oid, relname::text as name, relkind as kind, relacl as acl, relrowsecurity and relforcerowsecurity as locked,
	relkind = 'v' and not coalesce((select option_value::boolean from pg_options_to_table(reloptions)
		where option_name = 'security_invoker'), false) as borrowed,
	exists (select from pg_attribute where attrelid = relation.oid and attname = 'organization_id' and not attisdropped) as tenant,
	has_table_privilege(app, relation.oid, 'select, insert, update, delete, truncate, references, trigger')
		or has_any_column_privilege(app, relation.oid, 'select, insert, update, references') as app,
	has_table_privilege(worker, relation.oid, 'select, insert, update, delete, truncate, references, trigger')
		or has_any_column_privilege(worker, relation.oid, 'select, insert, update, references') as worker
from pg_class relation, (select current_database() || '_app' as app, current_database() || '_worker' as worker) role
where relkind in ('r', 'p', 'f', 'v', 'm') and relnamespace in (select oid from service_schema);

-- The policies that are for requests.
create temporary view opening as
select polname::text as name, polrelid as relation, polroles as roles,
	coalesce(pg_get_expr(polqual, polrelid), '') as shows, coalesce(pg_get_expr(polwithcheck, polrelid), '') as takes
from pg_policy
where exists (select from unnest(polroles) role where role = 0 or pg_has_role(current_database() || '_app', role, 'member'));`

// describeSchemas makes the schemas that are not PostgreSQL's own.
const describeSchemas = `create temporary view service_schema as
select * from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`

// catalogRule is a rule for the database of every service.
type catalogRule struct {
	name string
	// find returns the names of what breaks the rule.
	find string
	// except are those that may, with the reason.
	except map[string]string
	// examples are statements that break the rule in workflow's database.
	examples []string
}

// versionTables count the migrations. The serving roles may read them: a process refuses a database that is behind.
var versionTables = map[string]string{
	"goose_db_version": "", "goose_job_version": "", "outbox_migration": "", "inbox_migration": "", "idempotency_migration": "",
	"refusal_migration": "",
}

var catalogRules = []catalogRule{
	{
		name: "nothing is granted to everybody",
		find: `select name from relation where exists (select from aclexplode(acl) where grantee = 0)
			union select name from relation join pg_attribute on attrelid = oid where exists (select from aclexplode(attacl) where grantee = 0)
			union select name from opening where 0 = any (roles)
			union select proname::text from pg_proc where prosecdef and pronamespace in (select oid from service_schema)
				and exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0)
			union select nspname::text from service_schema where exists (select from aclexplode(nspacl)
				where grantee = 0 and privilege_type = 'CREATE')`,
		examples: []string{
			`grant select on task to public`, `grant update (title) on task to public`, `grant create on schema public to public`,
			`create policy leak on task for select using (organization_id::text = current_setting('app.organization_id'))`,
			`create function leak() returns bigint language sql security definer as 'select count(*) from task'`,
		},
	},
	{
		name: "row-level security is forced on an organization's table, and on whatever a request may touch",
		find: `select name from relation where kind <> 'v' and (tenant or app) and not locked
			union select name from relation where borrowed and (app or worker)`,
		except: versionTables,
		examples: []string{
			`create table leak (organization_id uuid)`,
			`create table leak (organization_id uuid); alter table leak enable row level security`,
			`create table leak (number integer); grant select on leak to {app}`,
			`create table leak (organization_id uuid) partition by hash (organization_id)`,
			`create materialized view leak as select * from task`,
			`create view leak as select * from task; grant select on leak to {app}`,
			`alter table task no force row level security`,
		},
	},
	{
		name: "a request may touch an organization's table by a policy only",
		find: `select name from relation where tenant and app and kind in ('r', 'p') and not exists (select from opening where relation = oid)`,
		examples: []string{
			`drop policy task_app on task`,
			`create table leak (organization_id uuid); alter table leak enable row level security; grant insert on leak to {app}`,
		},
	},
	{
		name: "a policy of requests asks who is calling",
		find: `select relation.name || '.' || opening.name from opening join relation on relation = oid
			where (shows <> '' and shows !~ 'current_setting\(''app\.') or (takes <> '' and takes !~ 'current_setting\(''app\.')
				or (shows = '' and takes = '')
			union select relation.name || '.' || opening.name from opening join relation on relation = oid
			where tenant and (shows || takes) !~ 'current_setting\(''app\.(organization_id|user_id)'''`,
		except: map[string]string{
			"outbox.outbox_append":                             "writes only, of any organization or of none",
			"river_job.river_job_append":                       "writes only",
			"signing_key.signing_key_public":                   "the grants of columns leave what everybody may know",
			"audit_body.audit_body_record":                     "asks audit_record, whose own policy shows an organization's trail only",
			"profile.profile_member":                           "asks member, whose own policies show colleagues only",
			"invitation_token.invitation_token_find":           "whoever shows the hash of a token is looking for its organization",
			"invitation_link_token.invitation_link_token_find": "the same, for links",
			"deletion_step.deletion_step_deletion":             "asks deletion, whose own policies show a former owner's only",
			"mail_domain.mail_domain_join":                     "shows the one domain of the caller's proven address, which the transaction names",
		},
		examples: []string{
			`create policy leak on task for select to {app} using (true)`,
			`create policy leak on task for insert to {app} with check (true)`,
			`create policy leak on task for select to {app} using (title = current_setting('app.email'))`,
		},
	},
	{
		name: "a table of no organization has a reason",
		find: `select name from relation where not tenant and (app or worker)`,
		except: with(versionTables, map[string]string{
			"account": "a person, who is of no organization", "credential": "a person's", "session": "a person's",
			"external_identity": "a person's", "operator": "the installation's",
			"data_export": "a person's", "data_export_chunk": "a person's",
			"refresh_token": "a session's", "seen_device": "a person's", "avatar": "a person's", "preference": "a person's", "registration": "somebody who is nobody yet",
			"factor": "a person's", "backup_code": "a person's", "proof_budget": "a person's", "challenge": "somebody's who may be nobody yet",
			"device": "a person's", "password_reset": "a person's, or nobody's", "email_change": "a person's",
			"budget":  "keyed hashes, for the worker and for functions",
			"profile": "a person, shown to colleagues", "organization": "its id is the organization's",
			"signing_key":     "the installation's",
			"audit_body":      "its record may be in several trails: audit_entry says in which",
			"mailbox_message": "caught mails of a development installation, for its operator; no request may touch them",
			"inbox":           "ids of events, for the worker", "job_client": "processes, for the worker",
			"erasure": "ids of organizations and people that were erased, for the worker", "forgotten_organization": "the same ids, for the worker",
			"deletion": "its id is the organization's or the person's, which it outlives", "deletion_step": "a deletion's",
			"river_job": "requests add jobs, only the worker sees them", "river_leader": "for the worker",
			"river_notification": "for the worker", "river_queue": "for the worker",
		}),
		examples: []string{
			`create table leak (number integer); grant select on leak to {worker}`,
			`create table leak (number integer); grant insert (number) on leak to {app}`,
		},
	},
	{
		// Row-level security does not hold for what PostgreSQL checks by itself: without the organization in the key, a row
		// could point at another organization's, and its writer would learn that it exists.
		name: "a foreign key between tables of organizations includes the organization",
		find: `select one.name || '.' || conname from pg_constraint join relation one on one.oid = conrelid join relation other on other.oid = confrelid
			where contype = 'f' and one.tenant and other.tenant and not exists (select from unnest(conkey, confkey) as pair (own, target)
				join pg_attribute mine on mine.attrelid = conrelid and mine.attnum = own
				join pg_attribute theirs on theirs.attrelid = confrelid and theirs.attnum = target
				where mine.attname = 'organization_id' and theirs.attname = 'organization_id')`,
		examples: []string{
			`alter table task add unique (id); create table leak (organization_id uuid, task_id uuid references task (id))`,
			`create table leak (organization_id uuid, task_id uuid, foreign key (task_id, organization_id) references task (organization_id, id))`,
			`alter table task add unique (id); alter table comment add constraint leak foreign key (task_id) references task (id)`,
		},
	},
	{
		// erase_rows works with the owner's rights, and would not find the rows of such a table.
		name: "a table of organizations shows its owner all rows, so that those of a deleted one can be erased",
		find: `select name from relation join pg_class on pg_class.oid = relation.oid where tenant and kind = 'r' and not exists (
			select from pg_policy where polrelid = relation.oid and polcmd = '*' and polpermissive
				and relowner = any (polroles) and pg_get_expr(polqual, polrelid) = 'true')`,
		examples: []string{
			`drop policy task_owner on task`,
			`create table leak (organization_id uuid); alter table leak enable row level security; alter table leak force row level security`,
		},
	},
	{
		// It would keep a deleted organization's row, and say no organization by which its own could be found.
		name: "a foreign key to a table of organizations from another sort of table cascades",
		find: `select one.name || '.' || conname from pg_constraint join relation one on one.oid = conrelid join relation other on other.oid = confrelid
			where contype = 'f' and not one.tenant and other.tenant and confdeltype not in ('c', 'n', 'd')`,
		examples: []string{`alter table task add unique (id); create table leak (task_id uuid references task (id))`},
	},
	{
		name: "a function with its owner's rights has a reason",
		find: `select proname::text from pg_proc where prosecdef and pronamespace in (select oid from service_schema)`,
		except: map[string]string{
			"find_credential": "before a login nobody is calling", "find_registration": "before a login nobody is calling",
			"find_avatar": "by an id that can't be guessed",
			"find_device": "by the hash of a token", "find_registration_mail": "by the id in an event", "claim_registration": "by the hash of a token",
			"find_password_reset": "by the hash of a token", "find_password_reset_mail": "by the id in an event",
			"claim_email_change": "by the hash of a token", "find_email_change_mail": "by the id in an event",
			"make_email_change": "what requests may not write otherwise, for the user that the transaction acts as",
			"hold_password":     "locks a row that requests may not read", "spend_budget": "by a key that only identity can make",
			"read_budget": "by a key that only identity can make", "judge_guess": "by a key that only identity can make",
			"count_organization":   "two numbers, for an operator",
			"erase_rows":           "deletes in any table, of an organization that there is no way back for",
			"release_rows":         "changes any table, of a person that there is no way back for",
			"is_leaving":           "one bit of a person: whether they can be counted on",
			"list_sole_ownerships": "for the worker, of a person who wants to go", "list_memberships": "for the worker, of a person who goes",
			"erase_member": "for the worker, of a person that there is no way back for", "erase_invitations": "the same",
			"keep_account": "for the worker, of a person whose deletion has failed", "delete_account": "for the worker, of a person that there is no way back for",
			"erase_address":          "the same",
			"find_external_identity": "before a login nobody is calling", "find_sso_connection": "before a login nobody is calling",
			"find_sso": "before a login nobody is calling", "find_domain": "before a login nobody is calling",
			"find_impersonation": "by the id in a token that was verified",
			"find_session":       "by the id in a token that was verified", "claim_refresh_token": "by the hash of a token",
			"find_passkey": "before a login nobody is calling", "find_secured": "asked by other services, about many people",
			"find_strength":  "by the session of a token",
			"find_standing":  "by the session of a token",
			"find_capturing": "by the domain of an address, of which it names the organization alone",
			"find_link_mail": "by the id in an event",
			"find_requiring": "for a consumer, about one person of an event",
			"find_owners":    "for a consumer, about the organization of an event",
			"find_operator":  "for policies, and by the account of a token", "hold_operator": "locks a row that requests may not read",
			"list_operators": "asks itself whether the user that the transaction acts as may see them", "all_operators": "for commands",
			"find_machine_credential": "by the hash of a secret", "find_client_key": "by the two ids that a client's assertion names",
			"is_credential_good": "by the id of a credential that was verified",
			"find_data_export":   "by the hash of a token", "find_data_export_mail": "by the id in an event",
		},
		examples: []string{`create function leak() returns bigint language sql security definer as 'select count(*) from task';
			revoke all on function leak from public`},
	},
}

func with(one, other map[string]string) map[string]string {
	joined := maps.Clone(one)
	maps.Copy(joined, other)
	return joined
}

// broken returns what breaks the rule in a database, but for the exceptions, which are struck from unused.
func (r catalogRule) broken(t *testing.T, tx pgx.Tx, unused map[string]bool) (found []string) {
	t.Helper()
	rows, err := tx.Query(t.Context(), r.find)
	require.NoError(t, err, r.name)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err, r.name)
	for _, name := range names {
		if _, excepted := r.except[name]; excepted {
			delete(unused, name)
			continue
		}
		found = append(found, name)
	}
	return found
}

// inspect executes a statement, lets look at the catalog, and leaves nothing behind.
func inspect(t *testing.T, database *pgtest.Database, statement string, look func(tx pgx.Tx)) {
	t.Helper()
	tx, err := database.Admin.Begin(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(t.Context())) }()
	statement = strings.NewReplacer("{app}", database.Name+"_app", "{worker}", database.Name+"_worker").Replace(statement)
	for _, sql := range []string{describeSchemas, describeCatalog, statement} {
		_, err := tx.Conn().PgConn().Exec(t.Context(), sql).ReadAll()
		require.NoError(t, err, sql)
	}
	look(tx)
}

// TestCatalogsFollowTheRules holds every table that there is and that will be.
func TestCatalogsFollowTheRules(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../../services")
	require.NoError(t, err)
	unused := map[string]bool{}
	for _, rule := range catalogRules {
		for name := range rule.except {
			unused[name] = true
		}
	}
	for _, folder := range folders {
		migrations := databases[folder.Name()]
		require.NotNil(t, migrations, "the service %s must be added to databases", folder.Name())
		inspect(t, pgtest.Create(t, folder.Name(), migrations()...), "", func(tx pgx.Tx) {
			for _, rule := range catalogRules {
				for _, name := range rule.broken(t, tx, unused) {
					t.Errorf("%s: %s: %s", folder.Name(), name, rule.name)
				}
			}
		})
	}
	require.Empty(t, unused, "exceptions for what no service has")
}

func TestCatalogRulesBreak(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, workflow.Name, workflow.Migrations()...)
	for _, rule := range catalogRules {
		require.NotEmpty(t, rule.examples, rule.name)
		for _, example := range rule.examples {
			inspect(t, database, example, func(tx pgx.Tx) {
				require.Len(t, rule.broken(t, tx, map[string]bool{}), 1, "%s: %s", rule.name, example)
			})
		}
	}
}
