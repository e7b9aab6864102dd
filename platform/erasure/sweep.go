package erasure

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
)

// stride is how many blocks of a table without an index are looked at in one transaction: 8 MiB.
const stride = 1024

const eraseRows = `select erase_rows($1, $2::text::regclass, $3, $4, $5)`

// sweep erases an organization's rows of the table.
func (t table) sweep() Sweep {
	return Sweep{Name: t.name, Erase: t.walk(func(ctx context.Context, tx *pg.Tx, organizationID id.ID, first, last *int64, atMost int) (erased int64, err error) {
		if err := tx.QueryRow(ctx, eraseRows, organizationID, t.name, first, last, atMost).Scan(&erased); err != nil {
			return 0, fmt.Errorf("erase rows: %w", err)
		}
		return erased, nil
	})}
}

// walk makes a sweep of what works on at most so many rows, found by the table's index, or in a range of its blocks: then it
// goes from the table's beginning to where it ends now. What is added behind that, the next pass finds.
func (t table) walk(work func(ctx context.Context, tx *pg.Tx, subjectID id.ID, first, last *int64, atMost int) (int64, error)) func(context.Context, *pg.Tx, id.ID, string, int) (string, int64, error) {
	return func(ctx context.Context, tx *pg.Tx, subjectID id.ID, after string, atMost int) (string, int64, error) {
		var first, last *int64
		if !t.indexed {
			begin, _ := strconv.ParseInt(after, 10, 64) // "" is the beginning.
			end := begin + stride
			first, last = &begin, &end
		}
		erased, err := work(ctx, tx, subjectID, first, last, atMost)
		switch {
		case err != nil:
			return "", 0, err
		case t.indexed && erased > 0:
			return "more", erased, nil
		case t.indexed:
			return "", erased, nil
		case erased == int64(atMost):
			return strconv.FormatInt(*first, 10), erased, nil
		case *last < t.blocks:
			return strconv.FormatInt(*last, 10), erased, nil
		default:
			return "", erased, nil
		}
	}
}

const (
	leastRows = 100
	mostRows  = 2000
	// longBatch and shortBatch are when batches are made smaller and larger.
	longBatch  = 40 * time.Millisecond
	shortBatch = 15 * time.Millisecond
	// rest is how long the database is left to others after a batch, in times of what the batch took.
	rest    = 3
	minRest = 2 * time.Millisecond
	maxRest = 2 * time.Second
)

// pace keeps erasing from being felt by others: short transactions, and a rest after each.
type pace struct{ rows int }

func newPace() *pace { return &pace{rows: 500} }

// after returns how long to rest after a batch, and settles how large the next is.
func (p *pace) after(took time.Duration) time.Duration {
	switch {
	case took > longBatch:
		p.rows = max(p.rows/2, leastRows)
	case took < shortBatch:
		p.rows = min(p.rows*2, mostRows)
	}
	return min(max(rest*took, minRest), maxRest)
}
