package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// watermarkRetention is far more than any reader looks back: each begins at the end.
	watermarkRetention = 10 * time.Minute
	// watermarkSegment is the least that Kafka takes. Brokers give disk and memory back by whole segments.
	watermarkSegment = 1 << 20
)

// Watermark is a publisher's promise: everything that it committed before Time is on its event topic, in front of Ends.
// It stays true for as long as the topic does, whoever publishes after.
type Watermark struct {
	Time time.Time `json:"time"`
	Ends
}

// WatermarkTopic returns the topic that a service's watermarks are on. They are no events, come twice a second whether
// anything happens or not, and are worth nothing a second later: beside the events they would outnumber them and be kept
// as long.
func WatermarkTopic(service string) string { return service + ".watermarks" }

// NewWatermarkTopic returns how a service's watermark topic is made.
func NewWatermarkTopic(service string, replication int16) Topic {
	return Topic{
		Name: WatermarkTopic(service), Partitions: 1, Retention: watermarkRetention, SegmentBytes: watermarkSegment, Replication: replication,
	}
}

// NewWatermark returns the promise as a record. The ends must have been asked for after everything that was committed
// before the time of the promise had been acknowledged.
func NewWatermark(service string, at time.Time, ends Ends) (Record, error) {
	value, err := json.Marshal(Watermark{Time: at.UTC(), Ends: ends})
	if err != nil {
		return Record{}, fmt.Errorf("encode watermark: %w", err)
	}
	return Record{Topic: WatermarkTopic(service), Partition: 0, Value: value}, nil
}

// decodeWatermark refuses what promises nothing.
func decodeWatermark(record Record) (Watermark, error) {
	var watermark Watermark
	err := json.Unmarshal(record.Value, &watermark)
	if err == nil && (watermark.Time.IsZero() || len(watermark.Offsets) == 0) {
		err = errors.New("no time or no partitions")
	}
	if err != nil {
		return Watermark{}, fmt.Errorf("%w: watermark: %w", ErrMalformed, err)
	}
	return watermark, nil
}
