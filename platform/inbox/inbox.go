// Package inbox owns the way of an event from its topic to its effect in a consuming service: once per event id, because
// the effect and the inbox row are one transaction; in order per key; and on, past an event that cannot be applied,
// which goes to the dead letters. It must not know what an event means, and publishes nothing but dead letters.
package inbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/pg"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the table of the inbox, for the database of every service that consumes.
func Migrations() pg.MigrationSet {
	return pg.MigrationSet{Name: "inbox", FS: migrations, Table: "inbox_migration"}
}

// Handler applies events that follow each other in a batch, in their order; one is the smallest batch. It writes with tx,
// a transaction of the worker role that also holds the inbox rows and maybe the effects of other events, and it may run
// again after its writes were rolled back: it must do nothing that a rollback does not undo. Events of other keys may be
// applied at the same time, in this process too. Each makes a Handler of a function that takes events one by one; any
// other enters each event (Enter) while it reads it.
//
// An error of kind Unavailable, DeadlineExceeded or ResourceExhausted is the infrastructure's: it is tried again without
// end while the partition waits. So is a conflict that the database reports. Any other error, and a panic, is one event's
// own: they are all handed over again one by one, and the one at fault is a dead letter after a few tries.
type Handler func(ctx context.Context, tx *pg.Tx, events []bus.Event) error

// Any, as a key of Config.Handlers, stands for every type that has no handler of its own.
const Any = "*"

// Config says what a service consumes. Zero counts and durations stand for the defaults.
type Config struct {
	// Service is the consumer's name: the consumer group, the inbox rows and the dead-letter topic carry it.
	Service string
	// Topics are the sources. They are created when they are missing, as their publisher may start later.
	Topics []bus.Topic
	// Handlers are by event type; types without one are passed over.
	Handlers map[string]Handler
	// Single lists the types whose events get a transaction of their own, because they lock much or take long.
	Single []string
	// Remembered lists the types that are applied also when they are of an organization that was forgotten (Forget).
	Remembered []string
	// BatchEvents bounds what is applied in one transaction (500).
	BatchEvents int
	// Attempts is how often an event's own failure is tried before it is a dead letter (3).
	Attempts int
	// DeadLetterRetention is how long dead letters are kept (14 days).
	DeadLetterRetention time.Duration
	// RetryBase and RetryLimit bound the wait between tries (100 ms, 15 s).
	RetryBase  time.Duration
	RetryLimit time.Duration
	// BrokerTimeout bounds one request to the broker (10 s).
	BrokerTimeout time.Duration
}

func (c Config) validate() error {
	var problems []error
	if c.Service == "" {
		problems = append(problems, errors.New("no service"))
	}
	if len(c.Topics) == 0 || len(c.Handlers) == 0 {
		problems = append(problems, errors.New("no topics or no handlers"))
	}
	for eventType, handler := range c.Handlers {
		if handler == nil {
			problems = append(problems, fmt.Errorf("no handler for %s", eventType))
		}
	}
	for _, eventType := range c.Single {
		if c.Handlers[eventType] == nil {
			problems = append(problems, fmt.Errorf("%s is to be single but has no handler", eventType))
		}
	}
	for _, eventType := range c.Remembered {
		if c.Handlers[eventType] == nil {
			problems = append(problems, fmt.Errorf("%s is to be remembered but has no handler", eventType))
		}
	}
	return errors.Join(problems...)
}

func (c Config) withDefaults() Config {
	if c.BatchEvents <= 0 {
		c.BatchEvents = 500
	}
	if c.Attempts <= 0 {
		c.Attempts = 3
	}
	if c.DeadLetterRetention <= 0 {
		c.DeadLetterRetention = 14 * 24 * time.Hour
	}
	if c.RetryBase <= 0 {
		c.RetryBase = 100 * time.Millisecond
	}
	if c.RetryLimit <= 0 {
		c.RetryLimit = 15 * time.Second
	}
	if c.BrokerTimeout <= 0 {
		c.BrokerTimeout = 10 * time.Second
	}
	return c
}

// retentionMargin is how much longer an inbox row lives than any topic can bring its event back: retention removes
// whole segments, late.
const retentionMargin = 48 * time.Hour

// rowRetention returns how long inbox rows must be kept, 0 for ever. A row must outlive every way on which its event
// could come again: its topic, the dead letters and the replay topic, which begins to count at the replay.
func (c Config) rowRetention() time.Duration {
	longest := 2 * c.DeadLetterRetention
	for _, topic := range c.Topics {
		if topic.Retention <= 0 {
			return 0
		}
		longest = max(longest, topic.Retention)
	}
	return longest + retentionMargin
}

// handlerKey returns the key in Handlers that an event's type is handled by; ok is false for one that nobody asked for.
func (c Config) handlerKey(eventType string) (key string, ok bool) {
	if _, ok := c.Handlers[eventType]; ok {
		return eventType, true
	}
	_, ok = c.Handlers[Any]
	return Any, ok
}
