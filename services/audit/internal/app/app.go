// Package app holds the use cases of the audit: keep what happened, show it to those it belongs to, erase what a person
// may have erased. It checks no permission of a method (the chain did) and speaks no protocol.
package app

import (
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/pg"
)

// App is the use cases with what they need.
type App struct {
	DB    *pg.DB
	Clock clock.Clock
}
