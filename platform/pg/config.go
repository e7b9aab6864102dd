package pg

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// maxConnections is what one service may hold in one process, all kinds together; a cluster's max_connections is
// planned with it.
const maxConnections = 20

// maxDatabaseName leaves room for the longest role suffix within PostgreSQL's 63 bytes of a name.
const maxDatabaseName = 63 - len("_worker")

// Config says how a service reaches its database. Zero values stand for the defaults.
type Config struct {
	// Service is the service's name; it becomes application_name "braid-<service>" and a metric label. Required.
	Service string
	// URL is the login's connection string. The login itself is never used for statements, only to take the roles.
	URL string
	// MigrationURL is the connection string of the login that owns the tables; URL when empty.
	MigrationURL string
	// MaxConns bounds the app role's pool (10), WorkerMaxConns the worker role's (5), ReadConns the connections of
	// coalesced point reads (2, at most 4; with fewer each carries more reads). Together at most 20.
	MaxConns       int
	WorkerMaxConns int
	ReadConns      int
	// StatementTimeout ends a statement of the app role (5 s), WorkerStatementTimeout one of the worker role (30 s),
	// PointTimeout a coalesced read (2 s), which would otherwise hold up its neighbors.
	StatementTimeout       time.Duration
	WorkerStatementTimeout time.Duration
	PointTimeout           time.Duration
	// IdleInTransactionTimeout ends a session that holds a transaction open without working (30 s).
	IdleInTransactionTimeout time.Duration
	// CallTimeout is the deadline of a call whose context has none (15 s).
	CallTimeout time.Duration
	// ConnectTimeout bounds one attempt to connect (5 s).
	ConnectTimeout time.Duration
	// PointQueue bounds the point reads that wait for a connection (4096); one more is refused as unavailable.
	PointQueue int
}

// OwnerURL returns the connection string migrations use.
func (c Config) OwnerURL() string { return cmp.Or(c.MigrationURL, c.URL) }

func (c Config) withDefaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 10)
	c.WorkerMaxConns = cmp.Or(c.WorkerMaxConns, 5)
	c.ReadConns = cmp.Or(c.ReadConns, 2)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 5*time.Second)
	c.WorkerStatementTimeout = cmp.Or(c.WorkerStatementTimeout, 30*time.Second)
	c.PointTimeout = cmp.Or(c.PointTimeout, 2*time.Second)
	c.IdleInTransactionTimeout = cmp.Or(c.IdleInTransactionTimeout, 30*time.Second)
	c.CallTimeout = cmp.Or(c.CallTimeout, 15*time.Second)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.PointQueue = cmp.Or(c.PointQueue, 4096)
	return c
}

// Validate reports everything that is wrong with the configuration, without connecting. Defaults count as given.
func (c Config) Validate() error {
	c = c.withDefaults()
	var problems []error
	if c.Service == "" {
		problems = append(problems, errors.New("service: is required"))
	}
	if c.URL == "" {
		problems = append(problems, errors.New("url: is required"))
	} else if err := CheckURL(c.URL); err != nil {
		problems = append(problems, fmt.Errorf("url: %w", err))
	}
	if c.MaxConns < 1 || c.WorkerMaxConns < 1 || c.ReadConns < 1 || c.ReadConns > 4 {
		problems = append(problems, errors.New("connections: each pool needs at least 1, point reads at most 4"))
	}
	if total := c.MaxConns + c.WorkerMaxConns + c.ReadConns; total > maxConnections {
		problems = append(problems, fmt.Errorf("connections: %d are more than the %d a service may hold", total, maxConnections))
	}
	for _, limit := range []struct {
		name  string
		value time.Duration
	}{
		{"statement timeout", c.StatementTimeout},
		{"worker statement timeout", c.WorkerStatementTimeout},
		{"point timeout", c.PointTimeout},
		{"idle in transaction timeout", c.IdleInTransactionTimeout},
		{"call timeout", c.CallTimeout},
		{"connect timeout", c.ConnectTimeout},
	} {
		if limit.value < time.Millisecond {
			problems = append(problems, fmt.Errorf("%s: must be at least 1 ms", limit.name))
		}
	}
	if c.PointQueue < 1 {
		problems = append(problems, errors.New("point queue: must be at least 1"))
	}
	return errors.Join(problems...)
}

// AppRole returns the name of the role that serves requests in a database.
func AppRole(database string) string { return database + "_app" }

// WorkerRole returns the name of the role that relays, consumes and runs jobs in a database.
func WorkerRole(database string) string { return database + "_worker" }

// CheckURL returns what is wrong with a database's connection string, as the end of a sentence that begins with it.
func CheckURL(url string) error {
	_, err := parseURL(url)
	return err
}

// parseURL reads a connection string. Its text may hold a password, so no error repeats it.
func parseURL(url string) (*pgxpool.Config, error) {
	parsed, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("is not a valid PostgreSQL connection string")
	}
	if parsed.ConnConfig.Database == "" {
		return nil, errors.New("names no database")
	}
	if len(parsed.ConnConfig.Database) > maxDatabaseName {
		return nil, fmt.Errorf("names a database with more than %d bytes", maxDatabaseName)
	}
	return parsed, nil
}

// poolConfig returns the settings of a pool whose connections take role before they do anything.
func (c Config) poolConfig(role func(database string) string, maxConns int, statementTimeout time.Duration, more map[string]string) (*pgxpool.Config, error) {
	pool, err := parseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	pool.MaxConns = int32(maxConns)
	pool.MinConns = 0
	pool.MaxConnIdleTime = 5 * time.Minute
	pool.MaxConnLifetime = time.Hour
	pool.MaxConnLifetimeJitter = 10 * time.Minute
	pool.PingTimeout = c.ConnectTimeout
	pool.ConnConfig.ConnectTimeout = c.ConnectTimeout
	pool.ConnConfig.StatementCacheCapacity = 256
	roleName := role(pool.ConnConfig.Database)
	settings := c.sessionSettings(roleName, statementTimeout)
	maps.Copy(settings, more)
	maps.Copy(pool.ConnConfig.RuntimeParams, settings)
	pool.AfterConnect = prepareSession(roleName, settings)
	return pool, nil
}

// sessionSettings are startup parameters: they cost no round trip and RESET does not undo them.
func (c Config) sessionSettings(role string, statementTimeout time.Duration) map[string]string {
	milliseconds := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	return map[string]string{
		"role":                                role,
		"application_name":                    "braid-" + c.Service,
		"statement_timeout":                   milliseconds(statementTimeout),
		"idle_in_transaction_session_timeout": milliseconds(c.IdleInTransactionTimeout),
	}
}
