package pg

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// maxPointBytes bounds the result of a point read. All results of a flush are in memory at once.
const maxPointBytes = 1 << 20

var errPointTooLarge = errors.New("the result is too large for a point read: use Read")

// Point returns a querier for reads of one row or a few by key. Reads that arrive while a connection is busy are sent
// together, each with a snapshot and a scope of its own; one's error leaves the others alone. A caller that
// goes away abandons its read without a word to the server. Statements that may be slow belong to Read: here they would
// hold up their neighbors.
func (db *DB) Point(scope Scope) Querier { return &pointReader{db, scope} }

type pointReader struct {
	db    *DB
	scope Scope
}

// Exec implements Querier.
func (r *pointReader) Exec(ctx context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	rows, err := r.Query(ctx, sql, arguments...)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	rows.Close()
	return rows.CommandTag(), nil
}

// QueryRow implements Querier.
func (r *pointReader) QueryRow(ctx context.Context, sql string, arguments ...any) pgx.Row {
	rows, err := r.Query(ctx, sql, arguments...)
	return singleRow{rows, err}
}

// Query implements Querier. The whole result is there when it returns.
func (r *pointReader) Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error) {
	ctx, cancel := r.db.withDeadline(ctx)
	defer cancel()
	result, err := r.db.points.do(ctx, r.scope, statement{sql: sql, arguments: arguments})
	if err != nil {
		err = Translate(err)
		return failedRows{err}, err
	}
	return &pointRows{pointResult: result, types: takeTypes(), current: -1}, nil
}

// pointResult is a result copied off the wire. Columns are shared with other results and must not be changed.
type pointResult struct {
	columns []pgconn.FieldDescription
	rows    [][][]byte
	// tag is empty when the rows came with those of other reads.
	tag pgconn.CommandTag
}

// resultCopy gathers a result from a connection's buffer, which the next message overwrites.
type resultCopy struct {
	pointResult
	size int
}

// add keeps a row, and reports false once the result is larger than maxPointBytes.
func (c *resultCopy) add(values [][]byte) bool {
	size := 0
	for _, value := range values {
		size += len(value)
	}
	if c.size += size; c.size > maxPointBytes {
		return false
	}
	buffer := make([]byte, 0, size)
	row := make([][]byte, len(values))
	for i, value := range values {
		if value != nil {
			start := len(buffer)
			buffer = append(buffer, value...)
			row[i] = buffer[start:len(buffer):len(buffer)]
		}
	}
	c.rows = append(c.rows, row)
	return true
}

// pointRows makes a pointResult pgx.Rows. Values are decoded in the caller's goroutine, not the connection's.
type pointRows struct {
	pointResult
	types   *pgtype.Map
	current int
	err     error
}

// Close implements pgx.Rows.
func (r *pointRows) Close() {
	if r.types != nil {
		typesPool.Put(r.types)
		r.types = nil
	}
}

// Err implements pgx.Rows.
func (r *pointRows) Err() error { return r.err }

// CommandTag implements pgx.Rows.
func (r *pointRows) CommandTag() pgconn.CommandTag {
	if r.tag != (pgconn.CommandTag{}) {
		return r.tag
	}
	return pgconn.NewCommandTag("SELECT " + strconv.Itoa(len(r.rows)))
}

// FieldDescriptions implements pgx.Rows.
func (r *pointRows) FieldDescriptions() []pgconn.FieldDescription { return r.columns }

// Next implements pgx.Rows.
func (r *pointRows) Next() bool {
	r.current++
	if r.types == nil || r.current >= len(r.rows) {
		r.Close()
		return false
	}
	return true
}

// Scan implements pgx.Rows.
func (r *pointRows) Scan(targets ...any) error {
	if r.types == nil {
		return errors.New("scan: the rows are closed")
	}
	if len(targets) == 1 {
		if whole, ok := targets[0].(pgx.RowScanner); ok {
			return r.fail(whole.ScanRow(r))
		}
	}
	values := r.rows[r.current]
	if len(targets) != len(values) {
		return r.fail(pgx.ScanRow(r.types, r.columns, values, targets...)) // it says what is wrong
	}
	for i, target := range targets {
		if scanKnown(&r.columns[i], values[i], target) || target == nil {
			continue
		}
		if err := r.types.Scan(r.columns[i].DataTypeOID, r.columns[i].Format, values[i], target); err != nil {
			return r.fail(pgx.ScanArgError{ColumnIndex: i, FieldName: r.columns[i].Name, Err: err})
		}
	}
	return nil
}

func (r *pointRows) fail(err error) error {
	if err != nil {
		r.err = err
		r.Close()
	}
	return err
}

// Values implements pgx.Rows.
func (r *pointRows) Values() ([]any, error) {
	if r.types == nil {
		return nil, errors.New("values: the rows are closed")
	}
	values := make([]any, len(r.columns))
	for i, column := range r.columns {
		if r.rows[r.current][i] == nil {
			continue
		}
		if err := r.types.Scan(column.DataTypeOID, column.Format, r.rows[r.current][i], &values[i]); err != nil {
			return nil, r.fail(err)
		}
	}
	return values, nil
}

// RawValues implements pgx.Rows.
func (r *pointRows) RawValues() [][]byte { return r.rows[r.current] }

// Conn implements pgx.Rows. There is none to hand out.
func (r *pointRows) Conn() *pgx.Conn { return nil }

// TypeMap implements pgx.Rows.
func (r *pointRows) TypeMap() *pgtype.Map { return r.types }

// typesPool holds type maps that are in no goroutine's hands: a map remembers how it decoded a type, which makes it
// worth keeping and unsafe to share.
var typesPool = sync.Pool{New: func() any {
	types := pgtype.NewMap()
	registerCodec(types)
	return types
}}

func takeTypes() *pgtype.Map {
	if types, ok := typesPool.Get().(*pgtype.Map); ok {
		return types
	}
	return pgtype.NewMap()
}
