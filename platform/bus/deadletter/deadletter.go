// Package deadletter owns the topics `<service>.dead-letter` and `<service>.replay`: how an event that its consumer could
// not apply is put aside, looked at, brought back or given up. It must not decide which events those are (platform/inbox
// does) and never writes to a source topic.
//
// Kafka cannot take a single record away, so what becomes of a dead letter is written behind it, in the same topic of one
// partition: a marker that names the letter and the offset up to which it settles it. A letter that comes again after
// its marker is open again.
package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
)

// The headers of a dead letter, beside the record's own.
const (
	headerTopic     = "braid_dlq_topic"
	headerPartition = "braid_dlq_partition"
	headerOffset    = "braid_dlq_offset"
	headerReason    = "braid_dlq_reason"
	headerAttempts  = "braid_dlq_attempts"
	headerConsumer  = "braid_dlq_consumer"
	headerTime      = "braid_dlq_time"
	// The headers of a marker.
	headerResolution = "braid_dlq_resolution"
	headerLetter     = "braid_dlq_letter"
	headerUntil      = "braid_dlq_until"

	maxReason = 1000
)

// ErrNotFound says that no open dead letter has the identifier.
var ErrNotFound = errors.New("no such dead letter")

// Resolution is what became of a dead letter.
type Resolution string

// The resolutions.
const (
	Replayed  Resolution = "replayed"
	Discarded Resolution = "discarded"
)

// Letter is a dead letter.
type Letter struct {
	// ID is the event's id, or "topic/partition/offset" of a record that has none.
	ID string
	// Record is the original one: key, value and headers as they came, topic, partition and offset of where it was.
	Record bus.Record
	// Consumer is the service that could not apply it, Reason its last error, Attempts how often it tried, replays
	// included, and Time when it tried last.
	Consumer string
	Reason   string
	Attempts int
	Time     time.Time

	// offset is the letter's own position in the dead-letter topic.
	offset int64
}

// Event decodes the original record; bus.ErrMalformed says that this is what was wrong with it.
func (l Letter) Event() (bus.Event, error) { return bus.Decode(l.Record) }

// Topics returns the topics a consuming service needs for its dead letters. Replication is the source topics'.
func Topics(service string, retention time.Duration, replication int16) []bus.Topic {
	return []bus.Topic{
		{Name: bus.DeadLetterTopic(service), Partitions: 1, Retention: retention, Replication: replication},
		{Name: bus.ReplayTopic(service), Partitions: 1, Retention: retention, Replication: replication},
	}
}

// Encode returns the letter as a record for the consumer's dead-letter topic.
func Encode(letter Letter) bus.Record {
	record := bus.Record{
		Topic: bus.DeadLetterTopic(letter.Consumer), Partition: 0, Key: letter.Record.Key, Value: letter.Record.Value,
	}
	origin := originOf(letter.Record)
	record.Headers = append(withoutOwn(letter.Record.Headers),
		textHeader(headerTopic, origin.Topic),
		textHeader(headerPartition, strconv.Itoa(int(origin.Partition))),
		textHeader(headerOffset, strconv.FormatInt(origin.Offset, 10)),
		textHeader(headerReason, shorten(letter.Reason)),
		textHeader(headerAttempts, strconv.Itoa(letter.Attempts)),
		textHeader(headerConsumer, letter.Consumer),
		textHeader(headerTime, letter.Time.UTC().Format(time.RFC3339Nano)),
	)
	return record
}

// decode reads a record of the dead-letter topic that is no marker.
func decode(record bus.Record) (Letter, error) {
	origin := originOf(record)
	if _, ok := record.Header(headerTopic); !ok {
		return Letter{}, fmt.Errorf("not a dead letter: no header %s", headerTopic)
	}
	attempts, err := strconv.Atoi(text(record, headerAttempts))
	if err != nil {
		return Letter{}, fmt.Errorf("not a dead letter: header %s: %w", headerAttempts, err)
	}
	at, err := time.Parse(time.RFC3339Nano, text(record, headerTime))
	if err != nil {
		return Letter{}, fmt.Errorf("not a dead letter: header %s: %w", headerTime, err)
	}
	letter := Letter{
		Record: bus.Record{
			Topic: origin.Topic, Partition: origin.Partition, Offset: origin.Offset, Key: record.Key, Value: record.Value,
			Headers: withoutOwn(record.Headers), Time: record.Time,
		},
		Consumer: text(record, headerConsumer), Reason: text(record, headerReason), Attempts: attempts, Time: at, offset: record.Offset,
	}
	letter.ID = identify(letter.Record)
	return letter, nil
}

// marker says that the letter, as it stands at its offset, is settled.
func marker(service string, letter Letter, resolution Resolution, at time.Time) bus.Record {
	return bus.Record{Topic: bus.DeadLetterTopic(service), Partition: 0, Key: letter.Record.Key, Headers: []bus.Header{
		textHeader(headerResolution, string(resolution)),
		textHeader(headerLetter, letter.ID),
		textHeader(headerUntil, strconv.FormatInt(letter.offset, 10)),
		textHeader(headerTime, at.UTC().Format(time.RFC3339Nano)),
	}}
}

// replay returns the original record for the consumer's replay topic. It keeps where the record came from first and how
// often it was tried, so that a letter that fails again still says so.
func replay(service string, letter Letter) bus.Record {
	return bus.Record{
		Topic: bus.ReplayTopic(service), Partition: 0, Key: letter.Record.Key, Value: letter.Record.Value,
		Headers: append(withoutOwn(letter.Record.Headers),
			textHeader(headerTopic, letter.Record.Topic),
			textHeader(headerPartition, strconv.Itoa(int(letter.Record.Partition))),
			textHeader(headerOffset, strconv.FormatInt(letter.Record.Offset, 10)),
			textHeader(headerAttempts, strconv.Itoa(letter.Attempts)),
		),
	}
}

// Restore returns a replayed record as it was: without the headers this package put on it, and with the place it came
// from first. So a consumer hands it to a handler. Attempts is how often it was tried before.
func Restore(record bus.Record) (original bus.Record, attempts int) {
	origin := originOf(record)
	// One that was replayed by an earlier version does not say.
	attempts, _ = strconv.Atoi(text(record, headerAttempts))
	record.Topic, record.Partition, record.Offset = origin.Topic, origin.Partition, origin.Offset
	record.Headers = withoutOwn(record.Headers)
	return record, max(attempts, 0)
}

// originOf returns where a record came from first: what its headers say, else where it was read.
func originOf(record bus.Record) bus.Record {
	topic := text(record, headerTopic)
	number, numberErr := strconv.ParseInt(text(record, headerPartition), 10, 32)
	offset, offsetErr := strconv.ParseInt(text(record, headerOffset), 10, 64)
	if topic == "" || numberErr != nil || offsetErr != nil {
		return bus.Record{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	}
	return bus.Record{Topic: topic, Partition: int32(number), Offset: offset}
}

// identify names a letter by its event's id, by which the inbox knows it too.
func identify(record bus.Record) string {
	if value, ok := record.Header("ce_id"); ok {
		if parsed, err := id.Parse(string(value)); err == nil {
			return parsed.String()
		}
	}
	return fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
}

func withoutOwn(headers []bus.Header) []bus.Header {
	kept := make([]bus.Header, 0, len(headers)+7)
	for _, header := range headers {
		switch header.Key {
		case headerTopic, headerPartition, headerOffset, headerReason, headerAttempts, headerConsumer, headerTime:
		default:
			kept = append(kept, header)
		}
	}
	return kept
}

func textHeader(key, value string) bus.Header { return bus.Header{Key: key, Value: []byte(value)} }

func text(record bus.Record, key string) string {
	value, _ := record.Header(key)
	return string(value)
}

func shorten(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	cut := maxReason
	for cut > 0 && !utf8.RuneStart(reason[cut]) {
		cut--
	}
	return reason[:cut] + "…"
}
