package deployment

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/pg/embedded"
)

// databasePrefix begins the names of the services' databases.
const databasePrefix = "braid_"

// superuserURL leads to a database of the deployment's server, past every policy: for looking at what is really there.
func (d *Deployment) superuserURL(database string) (string, error) {
	if d.database != nil {
		return d.database.server.SuperuserURL(database), nil
	}
	server, err := embedded.Attach(filepath.Join(d.DataDir, "postgres"))
	if err != nil {
		return "", err
	}
	return server.SuperuserURL(database), nil
}

// query hands over the rows of a statement in one of the databases.
func (d *Deployment) query(ctx context.Context, database, statement string, arguments ...any) ([][]any, error) {
	url, err := d.superuserURL(database)
	if err != nil {
		return nil, err
	}
	connection, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	rows, err := connection.Query(ctx, statement, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
}

// Services lists the services that have a database.
func (d *Deployment) Services(ctx context.Context) ([]string, error) {
	found, err := d.query(ctx, "postgres", `select datname::text from pg_database where datname like $1`, databasePrefix+"%")
	if err != nil {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	services := make([]string, 0, len(found))
	for _, row := range found {
		services = append(services, strings.TrimPrefix(row[0].(string), databasePrefix))
	}
	return services, nil
}

// countRows counts the rows of an organization in every table that says in a column whose its rows are, and in that of the
// organizations themselves.
const countRows = `select name, (xpath('/row/count/text()', query_to_xml(
    format('select count(*) from public.%I where %I = %L', name, owner, $1::text), false, true, '')))[1]::text::bigint
from (
    select table_name::text as name, column_name::text as owner from information_schema.columns
    where table_schema = 'public' and (column_name = 'organization_id' or (table_name = 'organization' and column_name = 'id'))
) as tenant`

// RowsOf counts the rows of an organization in all databases, by "service.table"; tables without any are left out.
func (d *Deployment) RowsOf(ctx context.Context, organizationID string) (map[string]int64, error) {
	services, err := d.Services(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, service := range services {
		found, err := d.query(ctx, databasePrefix+service, countRows, organizationID)
		if err != nil {
			return nil, fmt.Errorf("count rows of %s: %w", service, err)
		}
		for _, row := range found {
			if count := row[1].(int64); count > 0 {
				counts[service+"."+row[0].(string)] = count
			}
		}
	}
	return counts, nil
}

// BodiesOf counts what the audit keeps of an organization besides its permanent records.
func (d *Deployment) BodiesOf(ctx context.Context, organizationID string) (int64, error) {
	found, err := d.query(ctx, databasePrefix+"audit", `select count(*) from audit_record join audit_body on record_id = id
where organization_id = $1::text::uuid`, organizationID)
	if err != nil {
		return 0, fmt.Errorf("count bodies: %w", err)
	}
	return found[0][0].(int64), nil
}

// ActionsOf lists the actions that the audit has recorded of an organization, the latest last.
func (d *Deployment) ActionsOf(ctx context.Context, organizationID string) (actions []string, err error) {
	found, err := d.query(ctx, databasePrefix+"audit", `select action from audit_record where organization_id = $1::text::uuid
order by occurred_at, id`, organizationID)
	if err != nil {
		return nil, fmt.Errorf("list actions: %w", err)
	}
	for _, row := range found {
		actions = append(actions, row[0].(string))
	}
	return actions, nil
}

// countPerson counts, for each column, the rows that name a person: by the id, where the column is of ids, and by the e-mail
// address, in whatever is or may be read as text.
const countPerson = `select name, (xpath('/row/count/text()', query_to_xml(
    format('select count(*) from public.%I where %s', relation, condition), false, true, '')))[1]::text::bigint
from (
    select relation.relname::text as relation, relation.relname || '.' || attname as name, case atttypid
        when 'uuid'::regtype then format('%I = %L', attname, $1::text)
        when 'uuid[]'::regtype then format('%L = any (%I)', $1::text, attname)
        else format('strpos(lower(%I::text), %L) > 0', attname, lower($2::text)) end as condition
    from pg_class relation join pg_attribute on attrelid = relation.oid
    where relkind = 'r' and relnamespace = 'public'::regnamespace and attnum > 0 and not attisdropped
        and atttypid in ('uuid'::regtype, 'uuid[]'::regtype, 'text'::regtype, 'text[]'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype)
) as searched`

// PersonIn counts the rows that name a person in all databases, by "service.table.column"; columns without any are left out.
func (d *Deployment) PersonIn(ctx context.Context, personID, email string) (map[string]int64, error) {
	services, err := d.Services(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, service := range services {
		found, err := d.query(ctx, databasePrefix+service, countPerson, personID, email)
		if err != nil {
			return nil, fmt.Errorf("look for a person in %s: %w", service, err)
		}
		for _, row := range found {
			if count := row[1].(int64); count > 0 {
				counts[service+"."+row[0].(string)] = count
			}
		}
	}
	return counts, nil
}
