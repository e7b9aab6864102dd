package pg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// finishTimeout bounds COMMIT and ROLLBACK, which run even when the caller has gone: a transaction is ended, not left.
const finishTimeout = 10 * time.Second

// Tx is a transaction. It takes a connection and begins with its first statement, in the same round trip; without a
// statement it touches no connection. It is for one goroutine, and only inside the function it was given to.
type Tx struct {
	db     *DB
	pool   *pgxpool.Pool
	scope  Scope
	scoped bool // worker transactions carry no scope
	// sharer is set in a shared transaction, where it takes the connection's place.
	sharer *sharer

	connection *pgxpool.Conn
	begun      bool
	queued     []statement
	hooks      []func()
	// failure is the last error of a statement; broken says that it must not be passed over, because statements
	// that were to run before later ones did not.
	failure  error
	broken   bool
	finished bool
}

type statement struct {
	sql       string
	arguments []any
	// grouped is set when others' calls may go out with this one.
	grouped *Grouped
}

var errFinished = errors.New("the transaction is over")

// Queue sends a statement whose result nobody needs together with the next one, or with COMMIT, in order. Its error
// comes back from there, translated.
func (t *Tx) Queue(sql string, arguments ...any) {
	t.queued = append(t.queued, statement{sql: sql, arguments: arguments})
}

// QueueGrouped is Queue for a grouped statement.
func (t *Tx) QueueGrouped(grouped *Grouped, arguments ...any) {
	t.queued = append(t.queued, grouped.call(arguments))
}

// QueryRowGrouped is QueryRow for a grouped statement.
func (t *Tx) QueryRowGrouped(ctx context.Context, grouped *Grouped, arguments ...any) pgx.Row {
	rows, err := t.query(ctx, grouped.call(arguments))
	return singleRow{rows, err}
}

// AfterCommit has hook run once, after a successful commit and before the caller of InTx goes on. It must not block.
func (t *Tx) AfterCommit(hook func()) { t.hooks = append(t.hooks, hook) }

// Exec implements Querier.
func (t *Tx) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	if t.sharer != nil {
		rows, err := t.Query(ctx, sql, arguments...)
		if err != nil {
			return pgconn.CommandTag{}, err
		}
		rows.Close()
		return rows.CommandTag(), nil
	}
	if err := t.ready(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	if t.begun && len(t.queued) == 0 {
		tag, err := t.connection.Exec(ctx, sql, arguments...)
		return tag, t.note(err, false)
	}
	results, err := t.send(ctx, statement{sql: sql, arguments: arguments})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag, t.note(err, false)
}

// Query implements Querier.
func (t *Tx) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	return t.query(ctx, statement{sql: sql, arguments: arguments})
}

func (t *Tx) query(ctx context.Context, last statement) (pgx.Rows, error) {
	if t.sharer != nil && !t.finished {
		statements := append(t.queued, last)
		t.queued = nil
		return t.sharer.query(ctx, statements)
	}
	if err := t.ready(ctx); err != nil {
		return failedRows{err}, err
	}
	if t.begun && len(t.queued) == 0 {
		rows, err := t.connection.Query(ctx, last.sql, last.arguments...)
		if err != nil {
			err = t.note(err, false)
			return failedRows{err}, err
		}
		return &heldRows{Rows: rows, release: func(err error) error { return t.note(err, false) }}, nil
	}
	results, err := t.send(ctx, last)
	if err != nil {
		return failedRows{err}, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		err = t.note(err, false)
		return failedRows{err}, err
	}
	return &heldRows{Rows: rows, release: func(err error) error {
		if closeErr := results.Close(); err == nil {
			err = closeErr
		}
		return t.note(err, false)
	}}, nil
}

// QueryRow implements Querier.
func (t *Tx) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	rows, err := t.Query(ctx, sql, arguments...)
	return singleRow{rows, err}
}

// ready takes a connection when there is none yet.
func (t *Tx) ready(ctx context.Context) error {
	if t.finished {
		return errFinished
	}
	if t.broken {
		return t.failure
	}
	if t.connection != nil {
		return nil
	}
	connection, err := t.pool.Acquire(ctx)
	if err != nil {
		return t.note(fmt.Errorf("take a connection: %w", explainConnect(err)), true)
	}
	t.connection = connection
	return nil
}

// send puts BEGIN and the scope (the first time), the queued statements and last on the wire at once, reads the
// results of all but last, and returns the rest. The caller closes it.
func (t *Tx) send(ctx context.Context, last statement) (pgx.BatchResults, error) {
	batch := &pgx.Batch{}
	if !t.begun {
		batch.Queue("begin")
		if t.scoped {
			batch.Queue(setScope, t.scope.arguments()...)
		}
	}
	for _, queued := range t.queued {
		batch.Queue(queued.sql, queued.arguments...)
	}
	ahead := batch.Len()
	batch.Queue(last.sql, last.arguments...)
	t.queued = nil
	results := t.connection.SendBatch(ctx, batch)
	for range ahead {
		if _, err := results.Exec(); err != nil {
			_ = results.Close()
			return nil, t.note(err, true)
		}
	}
	t.begun = true
	return results, nil
}

// note remembers a statement's error and translates it.
func (t *Tx) note(err error, broken bool) error {
	if err == nil {
		return nil
	}
	translated := Translate(err)
	t.failure = translated
	// A batch that failed before BEGIN arrived leaves no transaction: going on would start another one without what
	// came before.
	lost := t.connection == nil || t.connection.Conn().PgConn().TxStatus() == 'I' || t.connection.Conn().IsClosed()
	t.broken = t.broken || broken || lost
	return translated
}

// commit sends what is queued together with COMMIT. Past that point an error says whether the outcome is known.
func (t *Tx) commit(ctx context.Context) error {
	if t.broken {
		return t.failure
	}
	if t.connection == nil && len(t.queued) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return Translate(err)
	}
	if err := t.ready(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	tag, err := t.sendCommit(ctx)
	if err != nil {
		// The connection is gone and COMMIT may have been on the wire, alone or behind queued statements. Answers come
		// in order but are lost in bulk, so what arrived before says nothing; only "nothing was sent" is sure.
		if t.connection.Conn().IsClosed() && !pgconn.SafeToRetry(err) {
			return commitUnknown(err)
		}
		return err
	}
	if tag == "ROLLBACK" {
		// A statement failed and the function passed over its error; the server keeps nothing then.
		if t.failure != nil {
			return fmt.Errorf("commit after a failed statement: %w", t.failure)
		}
		return errors.New("commit: the server rolled the transaction back")
	}
	return nil
}

func (t *Tx) sendCommit(ctx context.Context) (string, error) {
	if t.begun && len(t.queued) == 0 {
		tag, err := t.connection.Exec(ctx, "commit")
		return tag.String(), Translate(err)
	}
	results, err := t.send(ctx, statement{sql: "commit"})
	if err != nil {
		return "", err
	}
	tag, err := results.Exec()
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	return tag.String(), Translate(err)
}

func commitUnknown(err error) error {
	return errUnavailable.WithMessage("The connection to the database was lost; the change may or may not have been kept.").
		WithCause(fmt.Errorf("%w: %w", ErrCommitUnknown, err))
}

func (t *Tx) end(ctx context.Context) {
	t.finished = true
	if t.connection != nil {
		endSession(ctx, t.connection)
	}
}

// endSession rolls back what is still open and gives the connection back; one in doubt is closed by the pool.
func endSession(ctx context.Context, session *pgxpool.Conn) {
	defer session.Release()
	connection := session.Conn().PgConn()
	if connection.IsClosed() || connection.TxStatus() == 'I' || connection.IsBusy() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
	defer cancel()
	_, _ = session.Exec(ctx, "rollback")
}
