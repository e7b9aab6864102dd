package bus

import (
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// watermarkType marks a record that is no event but a promise: everything its publisher committed before ce_time is on
// this partition before this record.
const watermarkType = "braid.watermark"

// NewWatermark returns the promise for one partition of a topic.
func NewWatermark(topic string, partition int32, source string, at time.Time) Record {
	return Record{Topic: topic, Partition: partition, Headers: []Header{
		{Key: headerSpecVersion, Value: []byte(specVersion)},
		{Key: headerID, Value: []byte(id.New().String())},
		{Key: headerSource, Value: []byte(source)},
		{Key: headerType, Value: []byte(watermarkType)},
		{Key: headerTime, Value: []byte(at.UTC().Format(time.RFC3339Nano))},
	}}
}

// IsWatermark tells a promise from an event. Only the broadcast reader looks at watermarks; all others pass over them.
func IsWatermark(record Record) bool {
	value, _ := record.Header(headerType)
	return string(value) == watermarkType
}

func watermarkTime(record Record) (time.Time, error) {
	value, _ := record.Header(headerTime)
	at, err := time.Parse(time.RFC3339Nano, string(value))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: watermark time: %w", ErrMalformed, err)
	}
	return at.UTC(), nil
}
