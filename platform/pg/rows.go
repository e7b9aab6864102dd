package pg

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// heldRows are rows that hold something until they are closed: a batch, a connection, a deadline. They close
// themselves at their end or at an error, and translate what the driver says.
type heldRows struct {
	pgx.Rows
	// release lets go of what is held; it sees the first error of the rows and may return a later one.
	release func(error) error
	err     error
	closed  bool
}

// Close implements pgx.Rows.
func (r *heldRows) Close() {
	if r.closed {
		return
	}
	r.closed = true
	r.Rows.Close()
	r.err = r.release(r.Rows.Err())
}

// Err implements pgx.Rows.
func (r *heldRows) Err() error {
	if r.closed {
		return Translate(r.err)
	}
	return Translate(r.Rows.Err())
}

// Next implements pgx.Rows.
func (r *heldRows) Next() bool {
	if !r.closed && r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

// Scan implements pgx.Rows.
func (r *heldRows) Scan(targets ...any) error {
	if err := r.Rows.Scan(targets...); err != nil {
		r.Close()
		return Translate(err)
	}
	return nil
}

// Values implements pgx.Rows.
func (r *heldRows) Values() ([]any, error) {
	values, err := r.Rows.Values()
	if err != nil {
		r.Close()
		return nil, Translate(err)
	}
	return values, nil
}

// singleRow makes the first of some rows a pgx.Row.
type singleRow struct {
	rows pgx.Rows
	err  error
}

// Scan implements pgx.Row. It returns ErrNoRows when there is none.
func (r singleRow) Scan(targets ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(targets...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// failedRows are the rows of a statement that was never sent.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
