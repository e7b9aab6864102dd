package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// MigrationStatus is one migration of one set.
type MigrationStatus struct {
	Set     string
	File    string
	Version int64
	// AppliedTime is when it ran; zero while it is pending.
	AppliedTime time.Time
}

// Status lists the migrations of all sets in the order they run, without changing anything.
func Status(ctx context.Context, config MigrateConfig) ([]MigrationStatus, error) {
	statuses, err := config.statuses(ctx)
	if err != nil {
		return nil, fmt.Errorf("read migrations of %s: %w", config.Service, err)
	}
	return statuses, nil
}

// Pending lists the migrations that have not run, as "set/file".
func Pending(ctx context.Context, config MigrateConfig) ([]string, error) {
	statuses, err := Status(ctx, config)
	if err != nil {
		return nil, err
	}
	var pending []string
	for _, status := range statuses {
		if status.AppliedTime.IsZero() {
			pending = append(pending, status.Set+"/"+status.File)
		}
	}
	return pending, nil
}

func (c MigrateConfig) statuses(ctx context.Context) ([]MigrationStatus, error) {
	if err := checkSets(c.Sets); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	connection, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }()
	var statuses []MigrationStatus
	for _, set := range c.Sets {
		some, err := set.status(ctx, connection)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, some...)
	}
	return statuses, nil
}

// status reads what of the set was applied. It refuses a database that holds a version the set does not know.
func (s MigrationSet) status(ctx context.Context, connection *pgx.Conn) ([]MigrationStatus, error) {
	files, _, err := s.files()
	if err != nil {
		return nil, err
	}
	applied, err := s.applied(ctx, connection)
	if err != nil {
		return nil, fmt.Errorf("set %s: %w", s.Name, err)
	}
	statuses := make([]MigrationStatus, 0, len(files))
	for _, file := range files {
		statuses = append(statuses, MigrationStatus{s.Name, file.name, file.version, applied[file.version]})
		delete(applied, file.version)
	}
	newest := files[len(files)-1].version
	for version := range applied {
		if version > newest {
			return nil, fmt.Errorf("set %s: version %d, known up to %d: %w", s.Name, version, newest, ErrNewerDatabase)
		}
	}
	return statuses, nil
}

// applied returns when each version ran. A login that only serves may read the table under the app role alone.
func (s MigrationSet) applied(ctx context.Context, connection *pgx.Conn) (map[int64]time.Time, error) {
	var exists, readable bool
	err := connection.QueryRow(ctx, `select to_regclass($1) is not null, coalesce(has_table_privilege(to_regclass($1), 'select'), false)`,
		quote(s.table())).Scan(&exists, &readable)
	if err != nil {
		return nil, Translate(err)
	}
	if !exists {
		return map[int64]time.Time{}, nil
	}
	if !readable {
		if _, err := connection.Exec(ctx, `set role `+quote(AppRole(connection.Config().Database))); err != nil {
			return nil, explainStatus(err)
		}
		defer func() { _, _ = connection.Exec(ctx, `reset role`) }()
	}
	// goose writes a row for each step up or down; the last one of a version counts.
	rows, err := connection.Query(ctx, `select distinct on (version_id) version_id, is_applied, tstamp at time zone current_setting('timezone')
		from `+quote(s.table())+` where version_id > 0 order by version_id, id desc`)
	if err != nil {
		return nil, Translate(err)
	}
	defer rows.Close()
	applied := map[int64]time.Time{}
	for rows.Next() {
		var version int64
		var is bool
		var at time.Time
		if err := rows.Scan(&version, &is, &at); err != nil {
			return nil, Translate(err)
		}
		if is {
			applied[version] = at.UTC()
		}
	}
	return applied, Translate(rows.Err())
}

func explainStatus(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return fmt.Errorf("%w: %w", ErrNotPrepared, err)
	}
	return Translate(err)
}
