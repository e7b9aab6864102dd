package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/bus"
)

const (
	watermarkInterval = 500 * time.Millisecond
	// watermarkTimeout is how long events may have to wait for a watermark; later than that it is worth nothing.
	watermarkTimeout = time.Second
	// watermarkPause follows one that failed, so that events are not held up again and again.
	watermarkPause = 2 * time.Second
)

// promise sends a watermark: everything that was committed before is published. No event fails with it, and the round is
// not repeated for it: readers who hear nothing ask the owner.
func (r *Relay) promise(ctx context.Context, schedule *schedule, before time.Time) {
	within, cancel := context.WithTimeout(ctx, watermarkTimeout)
	defer cancel()
	if err := r.sendWatermark(within, schedule, before); err != nil {
		schedule.promising = false
		schedule.watermark = before.Add(watermarkPause)
		if ctx.Err() == nil {
			r.logger.WarnContext(ctx, "outbox relay cannot send a watermark", "error", err)
		}
		return
	}
	// A little less than the ticker's interval: one that comes early must not skip a turn.
	schedule.watermark = before.Add(watermarkInterval * 9 / 10)
	r.metrics.watermark.Set(float64(before.UnixMicro()) / 1e6)
}

// sendWatermark asks for the ends only now: everything in the outbox has been acknowledged, and what was not in it any
// more, by another relay before.
func (r *Relay) sendWatermark(ctx context.Context, schedule *schedule, before time.Time) error {
	if !schedule.promising {
		if err := r.producer.EnsureTopics(ctx, bus.NewWatermarkTopic(r.config.Service, r.config.Topic.Replication)); err != nil {
			return err
		}
		schedule.promising = true
	}
	ends, err := r.producer.Ends(ctx, r.config.Topic.Name)
	if err != nil {
		return err
	}
	record, err := bus.NewWatermark(r.config.Service, before, ends)
	if err != nil {
		return err
	}
	if err := errors.Join(r.producer.Publish(ctx, record)...); err != nil {
		return fmt.Errorf("publish watermark: %w", err)
	}
	return nil
}
