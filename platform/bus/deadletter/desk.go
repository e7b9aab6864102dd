package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
)

// Desk is where a person looks through the dead letters of services. It reads the topic anew for each question: there
// are few letters, and few questions.
type Desk struct {
	connection bus.Connection
	clock      clock.Clock
	logger     *slog.Logger
}

// NewDesk returns a desk at the cluster that connection leads to.
func NewDesk(connection bus.Connection, clock clock.Clock, logger *slog.Logger) *Desk {
	return &Desk{connection: connection, clock: clock, logger: logger}
}

// maxOpen bounds the letters a desk keeps in mind at once.
const maxOpen = 1_000_000

// List returns the open letters of a service, the newest first, at most limit. A service that never had any has none.
func (d *Desk) List(ctx context.Context, service string, limit int) ([]Letter, error) {
	open, err := d.open(ctx, service)
	if err != nil {
		return nil, err
	}
	offsets := slices.SortedFunc(maps.Values(open), func(a, b int64) int { return cmp.Compare(b, a) })
	return d.read(ctx, service, offsets[:max(0, min(limit, len(offsets)))])
}

// Show returns one open letter, or ErrNotFound.
func (d *Desk) Show(ctx context.Context, service, letterID string) (Letter, error) {
	letters, err := d.find(ctx, service, []string{letterID})
	if err != nil {
		return Letter{}, err
	}
	return letters[0], nil
}

// Replay brings letters back to their consumer, to it alone, and marks them. Should it stop in between, a letter may be
// brought back twice; the consumer's inbox makes once of it.
func (d *Desk) Replay(ctx context.Context, service string, letterIDs ...string) error {
	return d.settle(ctx, service, letterIDs, Replayed)
}

// Discard gives letters up.
func (d *Desk) Discard(ctx context.Context, service string, letterIDs ...string) error {
	return d.settle(ctx, service, letterIDs, Discarded)
}

func (d *Desk) settle(ctx context.Context, service string, letterIDs []string, resolution Resolution) error {
	letters, err := d.find(ctx, service, letterIDs)
	if err != nil {
		return err
	}
	producer, err := bus.NewProducer(d.connection, d.logger)
	if err != nil {
		return err
	}
	defer producer.Close()
	replays := make([]bus.Record, 0, len(letters))
	markers := make([]bus.Record, 0, len(letters))
	for _, letter := range letters {
		replays = append(replays, replay(service, letter))
		markers = append(markers, marker(service, letter, resolution, d.clock.Now()))
	}
	if resolution == Replayed {
		if err := errors.Join(producer.Publish(ctx, replays...)...); err != nil {
			return fmt.Errorf("replay dead letters of %s: %w", service, err)
		}
	}
	if err := errors.Join(producer.Publish(ctx, markers...)...); err != nil {
		return fmt.Errorf("mark dead letters of %s: %w", service, err)
	}
	return nil
}

// find returns the letters in the order of their identifiers; one that is not open fails them all, before anything is done.
func (d *Desk) find(ctx context.Context, service string, letterIDs []string) ([]Letter, error) {
	open, err := d.open(ctx, service)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, 0, len(letterIDs))
	for _, letterID := range letterIDs {
		offset, ok := open[letterID]
		if !ok {
			return nil, fmt.Errorf("%w: %s of %s", ErrNotFound, letterID, service)
		}
		offsets = append(offsets, offset)
	}
	return d.read(ctx, service, offsets)
}

// open folds the topic: which letters are not settled, and where the last copy of each is.
func (d *Desk) open(ctx context.Context, service string) (map[string]int64, error) {
	open := make(map[string]int64)
	err := bus.ReadTopic(ctx, d.connection, bus.DeadLetterTopic(service), d.logger, func(record bus.Record) error {
		if _, isMarker := record.Header(headerResolution); isMarker {
			letterID := text(record, headerLetter)
			until, err := strconv.ParseInt(text(record, headerUntil), 10, 64)
			if offset, ok := open[letterID]; ok && err == nil && offset <= until {
				delete(open, letterID)
			}
			return nil
		}
		letter, err := decode(record)
		if err != nil {
			d.logger.WarnContext(ctx, "dead-letter topic holds something else", "service", service, "offset", record.Offset, "error", err)
			return nil
		}
		if open[letter.ID] = letter.offset; len(open) > maxOpen {
			return fmt.Errorf("more than %d open dead letters of %s", maxOpen, service)
		}
		return nil
	})
	if errors.Is(err, bus.ErrUnknownTopic) {
		return open, nil
	}
	return open, err
}

// read returns the letters at the offsets, in their order.
func (d *Desk) read(ctx context.Context, service string, offsets []int64) ([]Letter, error) {
	if len(offsets) == 0 {
		return nil, nil
	}
	wanted := make(map[int64]Letter, len(offsets))
	for _, offset := range offsets {
		wanted[offset] = Letter{}
	}
	missing := len(wanted)
	err := bus.ReadTopic(ctx, d.connection, bus.DeadLetterTopic(service), d.logger, func(record bus.Record) error {
		if _, ok := wanted[record.Offset]; !ok {
			return nil
		}
		letter, err := decode(record)
		if err != nil {
			return err
		}
		wanted[record.Offset] = letter
		if missing--; missing == 0 {
			return bus.ErrStopReading
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	letters := make([]Letter, 0, len(offsets))
	for _, offset := range offsets {
		if wanted[offset].ID == "" {
			return nil, fmt.Errorf("%w: it was removed by retention meanwhile", ErrNotFound)
		}
		letters = append(letters, wanted[offset])
	}
	return letters, nil
}
