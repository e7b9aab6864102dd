// Package store owns identity's SQL: one file per noun, rows in and domain types out. It opens no transaction and
// decides nothing.
package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// ActAs lets what follows in the transaction touch the rows of a user whose credential the transaction has seen. It
// costs no round trip.
func ActAs(tx *pg.Tx, userID id.ID) {
	tx.Queue(`select set_config('app.user_id', $1, true)`, userID.String())
}

// UseAddress lets what follows in the transaction touch what is pending for an address. It costs no round trip.
func UseAddress(tx *pg.Tx, address domain.Address) {
	tx.Queue(`select set_config('app.email', $1, true)`, address.Key)
}

// queueing runs generated statements without waiting for them: they go out with the next statement or with COMMIT, and
// their errors come from there.
type queueing struct{ *pg.Tx }

// Exec implements db.DBTX.
func (q queueing) Exec(_ context.Context, sql string, arguments ...any) (pgconn.CommandTag, error) {
	q.Queue(sql, arguments...)
	return pgconn.CommandTag{}, nil
}

func queue(tx *pg.Tx) *db.Queries { return db.New(queueing{tx}) }

// explain gives an error its action, and turns "no row" into not found.
func explain(action string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pg.ErrNoRows):
		return fmt.Errorf("%s: %w", action, errs.ErrNotFound)
	default:
		return fmt.Errorf("%s: %w", action, pg.Translate(err))
	}
}
