// Package bus owns Braid's event log: the connection to Kafka (or to the embedded broker that speaks its protocol),
// topics, CloudEvents on the wire, producers and readers. It is the only package that knows the Kafka client, and it
// must not know a database: what makes publishing and consuming safe is in platform/outbox and platform/inbox.
//
// An event is one Kafka record in CloudEvents 1.0 binary mode with a protobuf payload. Records are keyed by the
// organization (identity: by the user), so order holds per key. Delivery is at least once.
package bus

import (
	"errors"
	"time"
)

// AnyPartition lets the key decide where a record goes.
const AnyPartition int32 = -1

// ErrMalformed says that a record is not a well-formed event. It never heals by another try.
var ErrMalformed = errors.New("not a well-formed event")

// ErrUnknownTopic says that the cluster has no such topic.
var ErrUnknownTopic = errors.New("no such topic")

// Header is one Kafka record header.
type Header struct {
	Key   string
	Value []byte
}

// Record is a Kafka record, free of the client's types. Partition is AnyPartition on the way out unless the sender
// chooses; Offset and Time are set on the way in only.
type Record struct {
	Topic     string
	Key       []byte
	Value     []byte
	Headers   []Header
	Partition int32
	Offset    int64
	Time      time.Time
}

// Header returns the value of the first header named key; ok tells an absent header from an empty one.
func (r Record) Header(key string) (value []byte, ok bool) {
	for _, header := range r.Headers {
		if header.Key == key {
			return header.Value, true
		}
	}
	return nil, false
}

// Size estimates the bytes of the record on the wire, uncompressed.
func (r Record) Size() int {
	const overhead = 40
	size := overhead + len(r.Key) + len(r.Value)
	for _, header := range r.Headers {
		size += len(header.Key) + len(header.Value) + 4
	}
	return size
}

// EventTopic returns the topic a service publishes to.
func EventTopic(service string) string { return service + ".events" }

// DeadLetterTopic returns the topic that keeps the events a service could not apply.
func DeadLetterTopic(service string) string { return service + ".dead-letter" }

// ReplayTopic returns the topic that brings dead letters back to one service, and to it alone.
func ReplayTopic(service string) string { return service + ".replay" }
