package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/audit/internal/store"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestTheListIsDeclaredInFull(t *testing.T) {
	t.Parallel()
	require.NoError(t, store.Records.Validate())
}

func TestTheRefusalStandsInTheContract(t *testing.T) {
	t.Parallel()
	require.Contains(t, platformv1.ErrorReason_value, errs.ErrNotFound.Reason)
}

func TestRecordsAreFoundByEveryFilter(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme, ben := id.New(), id.New()
	token, _ := bundle.SignIn(acme, "admin")
	task, membership, login := created(t, acme, 1), joined(t, acme, ben, 2), loginFailed(t, ben, 3)
	bundle.hear(t, task, membership, login)
	taskID := strings.TrimPrefix(task.Subject, "task/")
	for filter, want := range map[string][]string{
		"": idsOf(login, membership, task),
		"actorId = " + task.Actor.UserID.String(): idsOf(task),
		`actorId = ""`:                                                            idsOf(login),
		`action = "identity.login.failed"`:                                        idsOf(login),
		`action != "identity.login.failed"`:                                       idsOf(membership, task),
		`resourceType = "member" OR resourceType = "task"`:                        idsOf(membership, task),
		fmt.Sprintf(`resourceType = "task" AND resourceId = %q`, taskID):          idsOf(task),
		fmt.Sprintf("resourceId = %q", ben):                                       idsOf(login, membership),
		fmt.Sprintf("correlationId = %q", login.CorrelationID):                    idsOf(login),
		"createTime > 2026-01-02T03:04:06Z AND createTime < 2026-01-02T03:04:08Z": idsOf(membership),
		`action = "nothing"`:                                                      {},
	} {
		got := []string{}
		for _, record := range bundle.list(t, token, acme, filter, "0") {
			got = append(got, record["eventId"].(string))
		}
		require.Equal(t, want, got, filter)
	}
	for _, query := range []string{"?filter=payload%20%3D%201", "?filter=createTime%20%3E%20yesterday", "?pageToken=x", "?pageSize=-1", "?orderBy=action"} {
		require.Equal(t, 400, bundle.REST("GET", trail(acme)+query, token, nil).Status, query)
	}
}

func TestPagesHoldEveryRecordOnce(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme := id.New()
	token, _ := bundle.SignIn(acme, "owner")
	var events []bus.Event
	for number := range 25 {
		// Several at the same time: the order between them must be one, too.
		events = append(events, created(t, acme, number/4))
	}
	bundle.hear(t, events...)
	whole := bundle.list(t, token, acme, "", "0")
	require.Len(t, whole, 25)
	require.Equal(t, whole, bundle.list(t, token, acme, "", "7"))
	require.Equal(t, whole, bundle.list(t, token, acme, "", "1"))
	for position := 1; position < len(whole); position++ {
		require.GreaterOrEqual(t, whole[position-1]["createTime"], whole[position]["createTime"])
	}
	oldest := slices.Clone(whole)
	slices.Reverse(oldest)
	require.Equal(t, oldest, bundle.listBy(t, token, acme, "", "createTime", "7"))
	require.Equal(t, whole, bundle.listBy(t, token, acme, "", "createTime desc", "7"))
	first := bundle.REST("GET", trail(acme)+"?pageSize=3", token, nil).Body["nextPageToken"].(string)
	require.Equal(t, 400, bundle.REST("GET", trail(acme)+"?pageSize=3&orderBy=createTime&pageToken="+first, token, nil).Status)
	require.Equal(t, 400, bundle.REST("GET", trail(acme)+"?pageSize=3&filter=action%20%3D%20a&pageToken="+first, token, nil).Status)
}

func TestOnlyOwnersAndAdminsReadTheTrail(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme := id.New()
	bundle.hear(t, created(t, acme, 1))
	admin, _ := bundle.SignIn(acme, "admin")
	record := bundle.list(t, admin, acme, "", "0")[0]["id"].(string)
	for role, want := range map[string]int{"owner": 200, "admin": 200, "member": 403, "viewer": 403, "": 404} {
		token, _ := bundle.SignIn(acme, role)
		require.Equal(t, want, bundle.REST("GET", trail(acme), token, nil).Status, role)
		require.Equal(t, want, bundle.REST("GET", trail(acme)+"/"+record, token, nil).Status, role)
	}
	require.Equal(t, 401, bundle.REST("GET", trail(acme), "", nil).Status)
}

func TestAnotherOrganizationsRecordsAreNotFound(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme, evil, ben := id.New(), id.New(), id.New()
	eve, _ := bundle.SignIn(evil, "owner")
	task := created(t, acme, 1)
	bundle.hear(t, task, joined(t, acme, ben, 2), loginFailed(t, ben, 3), created(t, evil, 4))
	require.Len(t, bundle.list(t, eve, evil, "", "0"), 1)
	require.Empty(t, bundle.list(t, eve, evil, fmt.Sprintf("correlationId = %q", task.CorrelationID), "0"))

	foreign := bundle.REST("GET", trail(evil)+"/"+bundle.recordOf(t, task), eve, nil)
	missing := bundle.REST("GET", trail(evil)+"/"+id.New().String(), eve, nil)
	require.Equal(t, 404, foreign.Status)
	for _, answer := range []rpctest.Answer{foreign, missing} {
		problem := answer.Body["error"].(map[string]any)
		delete(problem, "correlationId")
		for _, detail := range problem["details"].([]any) {
			delete(detail.(map[string]any), "requestId")
		}
	}
	require.Equal(t, missing.Body, foreign.Body)
}

// Below the API: with another scope SQL sees nothing, whatever the statement says, and the app role writes nothing.
func TestRowLevelSecurityHidesOtherTrails(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme, evil, ben := id.New(), id.New(), id.New()
	task := created(t, acme, 1)
	bundle.hear(t, task, joined(t, acme, ben, 2), loginFailed(t, ben, 3), loginFailed(t, id.New(), 4), created(t, evil, 5))
	for name, test := range map[string]struct {
		scope pg.Scope
		want  map[string]int
	}{
		"inside":   {pg.Scope{OrganizationID: acme}, map[string]int{"audit_entry": 1, "audit_record": 3, "audit_body": 3, "membership_change": 1}},
		"evil":     {pg.Scope{OrganizationID: evil}, map[string]int{"audit_entry": 0, "audit_record": 1, "audit_body": 1, "membership_change": 0}},
		"a person": {pg.Scope{UserID: ben}, map[string]int{"audit_entry": 0, "audit_record": 0, "audit_body": 0, "membership_change": 0}},
		"nobody":   {pg.Scope{}, map[string]int{"audit_entry": 0, "audit_record": 0, "audit_body": 0, "membership_change": 0}},
	} {
		for table, want := range test.want {
			var rows int
			require.NoError(t, bundle.database.DB.Read(test.scope).QueryRow(t.Context(), `select count(*) from `+table).Scan(&rows))
			require.Equal(t, want, rows, "%s: %s", name, table)
		}
	}
	for _, table := range []string{"audit_entry", "audit_record", "audit_body", "membership_change"} {
		err := bundle.database.DB.InTx(t.Context(), pg.Scope{OrganizationID: acme}, execute(`insert into `+table+` select * from `+table))
		require.ErrorContains(t, err, "permission denied", table)
	}
	// Even the store's own statement, asked for acme in evil's scope, gives nothing.
	query, err := store.Records.Parse(list.Request{})
	require.NoError(t, err)
	_, records, err := store.ListRecords(t.Context(), bundle.database.DB.Read(pg.Scope{OrganizationID: evil}), acme, query)
	require.NoError(t, err)
	require.Empty(t, records)
	_, err = store.GetRecord(t.Context(), bundle.database.DB.Read(pg.Scope{OrganizationID: evil}), acme, id.MustParse(bundle.recordOf(t, task)))
	require.ErrorIs(t, err, errs.ErrNotFound)
}

// Own records had entries, too, before they were found by themselves. These are still there, and nothing is shown twice.
func TestAnEntryOfAnOwnRecordIsPassedOver(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme := id.New()
	token, _ := bundle.SignIn(acme, "admin")
	task := created(t, acme, 1)
	bundle.hear(t, task)
	_, err := bundle.database.Admin.Exec(t.Context(), `insert into audit_entry
		select organization_id, id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id from audit_record`)
	require.NoError(t, err)
	require.Equal(t, idsOf(task), bundle.eventIDs(t, token, acme))
	require.Equal(t, 200, bundle.REST("GET", trail(acme)+"/"+bundle.recordOf(t, task), token, nil).Status)
}

// A page is one range of an index of each table, for every filter, in a large organization among others.
func TestAPageIsReadFromAnIndex(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	acme := id.New()
	bundle.fillTrail(t, acme, 20_000)
	scope := pg.Scope{OrganizationID: acme}
	for filter, index := range map[string]string{
		"":                                    "time",
		`createTime < 2026-01-02T05:00:00Z`:   "time",
		`action = "rare"`:                     "action",
		fmt.Sprintf("actorId = %q", id.New()): "actor",
		`resourceId = "rare"`:                 "resource",
		`correlationId = "rare"`:              "correlation",
	} {
		query, err := store.Records.Parse(list.Request{Filter: filter})
		require.NoError(t, err)
		probe := &explaining{Querier: bundle.database.DB.Read(scope)}
		_, _, err = store.ListRecords(t.Context(), probe, acme, query)
		require.ErrorIs(t, err, errExplained)
		plan := explain(t, bundle, scope, probe.sql, probe.arguments)
		require.Contains(t, plan, "audit_record_"+index, "%s:\n%s", filter, plan)
		require.Contains(t, plan, "audit_entry_"+index, "%s:\n%s", filter, plan)
		require.NotContains(t, plan, "Seq Scan", "%s:\n%s", filter, plan)
		require.NotContains(t, plan, "Rows Removed by Filter", "%s:\n%s", filter, plan)
	}
}

// fillTrail writes records of an organization among those of twenty others.
func (b *testBundle) fillTrail(t *testing.T, organizationID id.ID, count int) {
	t.Helper()
	_, err := b.database.Admin.Exec(t.Context(), `
with made as materialized (
	select uuidv7() as record_id, uuidv7() as actor_id, number,
		case when number % 10 < 2 then md5((number % 200)::text)::uuid end as person_id,
		case when number % 2 = 0 then '`+organizationID.String()+`'::uuid else md5((number % 20)::text)::uuid end as organization_id
	from generate_series(1, `+fmt.Sprint(count)+`) as number
), records as (
	insert into audit_record select record_id, uuidv7(), case when person_id is null then organization_id end, person_id, 'task.created', 'user', actor_id, 'task',
		'r' || number, 'workflow', 'c' || number, '2026-01-02T03:04:05Z'::timestamptz + number * interval '1 second', now(), sha256('x') from made
), bodies as (
	insert into audit_body select record_id, actor_id, sha256('s'), '{"payload":{}}' from made
), memberships as (
	insert into membership_change select organization_id, md5((user_number % 200)::text)::uuid, '2026-01-01T00:00:00Z', true
	from (select distinct organization_id from made) as organizations cross join generate_series(1, 200) as user_number
)
insert into audit_entry select organization_id, record_id, '2026-01-02T03:04:05Z'::timestamptz + number * interval '1 second',
	'task.created', actor_id, 'task', 'r' || number, 'c' || number, person_id from made where person_id is not null`)
	require.NoError(t, err)
	_, err = b.database.Admin.Exec(t.Context(), `analyze`)
	require.NoError(t, err)
}

var errExplained = fmt.Errorf("only explained")

// explaining keeps a statement instead of running it.
type explaining struct {
	pg.Querier
	sql       string
	arguments []any
}

func (e *explaining) Query(_ context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	e.sql, e.arguments = sql, arguments
	return nil, errExplained
}

// explain runs a statement as the app role does and returns how it was run.
func explain(t *testing.T, bundle *testBundle, scope pg.Scope, sql string, arguments []any) string {
	t.Helper()
	rows, err := bundle.database.DB.Read(scope).Query(t.Context(), "explain (analyze, costs off, timing off) "+sql, arguments...)
	require.NoError(t, err)
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}
