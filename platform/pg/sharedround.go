package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/id"
)

// sharedSettings are those of connections for shared transactions. Nobody waits long for a lock in one: alone it may
// wait, without the others. And a grouped statement goes through its calls row by row, see Grouped, so no plan may read
// them ahead.
var sharedSettings = map[string]string{
	"lock_timeout":     "100ms",
	"plan_cache_mode":  "force_generic_plan",
	"enable_hashjoin":  "off",
	"enable_mergejoin": "off",
	"enable_material":  "off",
	"enable_memoize":   "off",
}

// round sends what members have for it, the first time behind BEGIN, and hands out the answers. With committed set
// COMMIT goes last, and its tag there.
func (s *sharedTx) round(ctx context.Context, members []*sharer, committed *pgconn.CommandTag) error {
	if s.connection == nil {
		connection, err := s.db.shared.Acquire(ctx)
		if err != nil {
			return fmt.Errorf("take a connection: %w", err)
		}
		s.connection = connection
	}
	batch := &pgx.Batch{}
	// readers read the answers, in the order of what they answer.
	var readers []func(pgx.BatchResults) error
	queue := func(sql string, arguments []any, read func(pgx.BatchResults) error) {
		batch.Queue(sql, arguments...)
		readers = append(readers, read)
	}
	if !s.begun {
		queue("begin", nil, skip)
	}
	for _, parcel := range arrange(members) {
		if err := s.queueParcel(parcel, queue); err != nil {
			return err
		}
	}
	if committed != nil {
		queue("commit", nil, func(results pgx.BatchResults) (err error) {
			*committed, err = results.Exec()
			return err
		})
	}
	results := s.connection.SendBatch(ctx, batch)
	for _, read := range readers {
		if err := read(results); err != nil {
			_ = results.Close()
			return err
		}
		s.begun = true
	}
	return results.Close()
}

func skip(results pgx.BatchResults) error {
	_, err := results.Exec()
	return err
}

// queueParcel queues a parcel, with its scope ahead where that is another than the last.
func (s *sharedTx) queueParcel(parcel parcel, queue func(string, []any, func(pgx.BatchResults) error)) error {
	read := skip
	if parcel.answered() {
		read = parcel.receive
	}
	last := parcel.calls[len(parcel.calls)-1].member.scope
	if len(parcel.calls) > 1 {
		arguments, err := parcel.grouped.arguments(s.connection.Conn().TypeMap(), parcel.calls)
		if err != nil {
			return err
		}
		queue(parcel.grouped.many, arguments, read)
		s.scope = &last
		return nil
	}
	if s.scope == nil || *s.scope != last {
		queue(setScope, last.arguments(), skip)
		s.scope = &last
	}
	queue(parcel.sql, parcel.arguments, read)
	return nil
}

var errStrayRow = errors.New("a grouped statement answered with a row that is no call's")

// receive takes the rows off the connection, each to the member whose call it answers. They are bounded like those of a
// point read, as those of all members are in memory at once.
func (p parcel) receive(results pgx.BatchResults) error {
	rows, err := results.Query()
	if err != nil {
		return err
	}
	defer rows.Close()
	answers := make([]resultCopy, len(p.calls))
	for rows.Next() {
		values, call := rows.RawValues(), 0
		if len(p.calls) > 1 {
			call = slices.IndexFunc(p.calls, func(call groupedCall) bool { return call.isAnsweredBy(values) })
		}
		switch {
		case call < 0:
			return errStrayRow
		case !answers[call].add(values):
			return errPointTooLarge
		}
	}
	columns := slices.Clone(rows.FieldDescriptions())
	rows.Close()
	for i, call := range p.calls {
		answers[i].columns, answers[i].tag = columns, rows.CommandTag()
		call.member.result = answers[i].pointResult
	}
	return rows.Err()
}

// isAnsweredBy reports whether a row's first column is the call's first argument.
func (c groupedCall) isAnsweredBy(values [][]byte) bool {
	key, ok := c.arguments[0].(id.ID)
	return ok && len(values) > 0 && bytes.Equal(key[:], values[0])
}
