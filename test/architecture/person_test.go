package architecture_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/audit"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/notification"
	"github.com/braidhq/braid/services/organization"
	"github.com/braidhq/braid/services/workflow"
	"github.com/braidhq/braid/testkit/pgtest"
)

// people are what the services say of people.
var people = map[string]func() person.Own{
	audit.Name: audit.People, identity.Name: identity.People, notification.Name: notification.People,
	organization.Name: organization.People, workflow.Name: workflow.People,
}

// nobody are the names of columns that name no person, in whatever table they are. One that is a person's after all is
// said to be so by its service, as account.id is.
var nobody = map[string]string{
	"id":              "its row's own; a row that is a person is referred to, which is found below",
	"organization_id": "an organization", "event_id": "an event", "attempt_id": "a try to delete an organization",
	"project_id": "a project", "task_id": "a task", "team_id": "a team", "role_id": "a role", "domain_id": "a domain", "support_grant_id": "a support grant",
	"parent_id": "another row of its table", "source_id": "another row of its table",
	"scope_id": "a project or a resource of one", "deletion_id": "an organization that is being deleted", "link_id": "an invitation link",
	"invitation_id": "an invitation", "transfer_id": "an offer of ownership", "registration_id": "a registration",
	"session_id": "a session", "device_id": "a device that was seen", "avatar_id": "a picture", "credential_id": "a token or key",
	"service_account_id": "a machine", "record_id": "an audit record", "export_id": "an export of data", "build_id": "a try to make one",
	"mail_id": "a mail", "sso_connection_id": "an organization's provider", "successor_id": "a token or key",
}

const (
	// listIDs are the columns that may hold people's ids, and all others by name.
	listColumns = `select relation.relname || '.' || attname, atttypid in ('uuid'::regtype, 'uuid[]'::regtype)
		from pg_class relation join pg_attribute on attrelid = relation.oid
		where relkind in ('r', 'p') and relnamespace in (select oid from service_schema) and attnum > 0 and not attisdropped`

	// listReferences are pairs of columns of which one refers to the other.
	listReferences = `select conrelid::regclass || '.' || mine.attname, confrelid::regclass || '.' || theirs.attname
		from pg_constraint, unnest(conkey, confkey) as pair (own, target)
		join pg_attribute mine on mine.attnum = own join pg_attribute theirs on theirs.attnum = target
		where contype = 'f' and mine.attrelid = conrelid and theirs.attrelid = confrelid`
)

// catalog is what a database says of its columns.
type catalog struct {
	// ids says of each column whether it holds ids.
	ids        map[string]bool
	references [][2]string
}

func readCatalog(t *testing.T, tx pgx.Tx) catalog {
	t.Helper()
	read := catalog{ids: map[string]bool{}}
	rows, err := tx.Query(t.Context(), listColumns)
	require.NoError(t, err)
	var name, other string
	var holdsIDs bool
	_, err = pgx.ForEachRow(rows, []any{&name, &holdsIDs}, func() error { read.ids[name] = holdsIDs; return nil })
	require.NoError(t, err)
	rows, err = tx.Query(t.Context(), listReferences)
	require.NoError(t, err)
	_, err = pgx.ForEachRow(rows, []any{&name, &other}, func() error {
		read.references = append(read.references, [2]string{name, other})
		return nil
	})
	require.NoError(t, err)
	return read
}

// unsaid returns the columns of which nobody has said whether they name people. Those whose names say that they don't are
// struck from unused.
func unsaid(found catalog, own person.Own, unused map[string]bool) (names []string) {
	said := map[string]bool{}
	for _, column := range own.AllColumns() {
		said[column.Name] = true
	}
	for name, holdsIDs := range found.ids {
		_, column, _ := strings.Cut(name, ".")
		if !holdsIDs || said[name] {
			continue
		}
		if _, named := nobody[column]; named {
			delete(unused, column)
			continue
		}
		names = append(names, name)
	}
	for _, pair := range found.references {
		if said[pair[0]] != said[pair[1]] {
			names = append(names, pair[0]+" or "+pair[1])
		}
	}
	return names
}

// TestEveryColumnThatMayNameAPersonIsSaid holds every table that there is and that will be: people get what they have in it,
// or there is a reason, and it is said what happens to it when they leave.
func TestEveryColumnThatMayNameAPersonIsSaid(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir("../../services")
	require.NoError(t, err)
	methods, err := rpc.Catalog()
	require.NoError(t, err)
	unused := map[string]bool{}
	for column := range maps.Keys(nobody) {
		unused[column] = true
	}
	sections := map[string]string{}
	for _, folder := range folders {
		service := folder.Name()
		require.Contains(t, methods, person.Procedure(service, "ReadPersonSection"), "%s has no PersonDataService", service)
		require.NotNil(t, people[service], "the service %s must be added to people", service)
		own := people[service]()
		for _, section := range own.Sections {
			require.Empty(t, sections[section.Name], "%s of %s has a name that is taken", section.Name, service)
			sections[section.Name] = service
		}
		database := pgtest.Create(t, service, databases[service]()...)
		db := pgtest.OpenDB(t, pg.Config{Service: service, URL: database.URL}, prometheus.NewRegistry())
		for _, section := range own.Sections {
			_, next, err := section.Page(t.Context(), db, id.New(), "")
			require.NoError(t, err, "%s of %s can be read", section.Name, service)
			require.Empty(t, next)
		}
		inspect(t, database, "", func(tx pgx.Tx) {
			found := readCatalog(t, tx)
			require.Empty(t, unsaid(found, own, unused), "%s: say in People whether these name a person", service)
			requireSound(t, service, own, found)
		})
	}
	require.Empty(t, unused, "names that no column has")
}

// requireSound asks that what is said can be so.
func requireSound(t *testing.T, service string, own person.Own, found catalog) {
	t.Helper()
	said, given := map[string]bool{}, map[string]bool{}
	for _, column := range own.AllColumns() {
		require.Contains(t, found.ids, column.Name, "%s has no such column", service)
		require.False(t, said[column.Name], "%s: %s is said twice", service, column.Name)
		said[column.Name] = true
		require.NotEqual(t, column.Section == "", column.Withheld == "", "%s: %s is in a section, or there is a reason", service, column.Name)
		require.NotZero(t, column.Forget, "%s: %s", service, column.Name)
		require.Equal(t, column.Forget == person.Keep, column.Because != "", "%s: %s is kept for a reason", service, column.Name)
		if column.Section == "" {
			continue
		}
		section, exists := own.Section(column.Section)
		require.True(t, exists, "%s: %s is in no section", service, column.Name)
		require.Contains(t, section.Query(), column.Table(), "%s: %s", service, column.Name)
		require.Contains(t, section.Query(), column.Column(), "%s: %s", service, column.Name)
		given[section.Name] = true
	}
	for _, section := range own.Sections {
		require.True(t, given[section.Name], "%s: no column says why %s are somebody's", service, section.Name)
	}
}

func TestColumnsThatMayNameAPersonAreFound(t *testing.T) {
	t.Parallel()
	database := pgtest.Create(t, workflow.Name, workflow.Migrations()...)
	for statement, column := range map[string]string{
		`create table vote (organization_id uuid, voter_id uuid)`:                                                          "vote.voter_id",
		`alter table task add column watcher_ids uuid[]`:                                                                   "task.watcher_ids",
		`create table friend (id uuid primary key); alter table task add foreign key (reporter_id) references friend (id)`: "task.reporter_id or friend.id",
	} {
		inspect(t, database, statement, func(tx pgx.Tx) {
			require.Equal(t, []string{column}, unsaid(readCatalog(t, tx), workflow.People(), map[string]bool{}))
		})
	}
}
