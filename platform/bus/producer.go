package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrUncertain says that nobody knows whether the broker kept a record: sending was given up while it was under way.
var ErrUncertain = errors.New("publishing was given up before the broker answered")

// Producer writes records that the whole cluster acknowledges, in the order given per partition. It is idempotent: its
// own retries neither repeat nor reorder. Once a publish has failed the Kafka client behind it is thrown away, with
// everything it still held, so that nothing old is sent after the caller has started again.
type Producer struct {
	connection Connection
	logger     *slog.Logger

	mu     sync.Mutex
	client *kgo.Client
	closed bool
}

// NewProducer checks the connection's settings. It holds nothing until it is used, so whoever fails to be built after it
// need not close it.
func NewProducer(connection Connection, logger *slog.Logger) (*Producer, error) {
	if _, err := connection.options(logger); err != nil {
		return nil, err
	}
	return &Producer{connection: connection, logger: logger}, nil
}

// Publish sends records and waits for each to be acknowledged. The answer has one entry per record: nil for an
// acknowledged one. In one partition no record is acknowledged after one that failed. With an unreachable broker it
// goes on trying until ctx ends; what was not acknowledged by then is ErrUncertain. One call at a time; others wait.
func (p *Producer) Publish(ctx context.Context, records ...Record) []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	results := make([]error, len(records))
	if err := p.open(); err != nil {
		for position := range results {
			results[position] = err
		}
		return results
	}
	pending := make([]atomic.Pointer[error], len(records))
	done := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(len(records)))
	if len(records) == 0 {
		return results
	}
	// The records' own context never ends: one of them cancelled alone would let its successors overtake it.
	background := context.WithoutCancel(ctx)
	for position := range records {
		p.client.Produce(background, toClient(&records[position]), func(_ *kgo.Record, err error) {
			pending[position].Store(&err)
			if left.Add(-1) == 0 {
				close(done)
			}
		})
	}
	flush, cancel := context.WithCancel(background)
	defer cancel()
	var flushing sync.WaitGroup
	client := p.client
	flushing.Go(func() {
		// Its only error is flush's end; the outcome is in the promises.
		_ = client.Flush(flush)
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
	failed := false
	for position := range results {
		if result := pending[position].Load(); result == nil {
			results[position] = fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
		} else {
			results[position] = *result
		}
		failed = failed || results[position] != nil
	}
	cancel()
	if failed {
		p.drop()
	}
	flushing.Wait()
	return results
}

// Ends asks the broker where the partitions of topic end. What was acknowledged before, to whomever, is in front of it.
func (p *Producer) Ends(ctx context.Context, topic string) (Ends, error) {
	client, err := p.current()
	if err != nil {
		return Ends{}, err
	}
	return listEnds(ctx, client, topic)
}

// EnsureTopics is EnsureTopics over the producer's own connection.
func (p *Producer) EnsureTopics(ctx context.Context, topics ...Topic) error {
	client, err := p.current()
	if err != nil {
		return err
	}
	return ensureTopics(ctx, kadm.NewClient(client), topics)
}

// Close gives up what is under way and disconnects.
func (p *Producer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.drop()
}

func (p *Producer) current() (*kgo.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.open(); err != nil {
		return nil, err
	}
	return p.client, nil
}

func (p *Producer) open() error {
	if p.closed {
		return errors.New("the producer is closed")
	}
	if p.client != nil {
		return nil
	}
	client, err := p.connection.open(p.logger,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}),
		// All of a publish is there before the first request goes out: few large batches, each synced once.
		kgo.ManualFlushing(),
		kgo.MaxBufferedRecords(1<<20),
		// With one request under way a failed batch takes all later ones of its partition with it, none overtakes.
		kgo.MaxProduceRequestsInflightPerBroker(1),
		kgo.StopProducerOnDataLossDetected(),
		kgo.ProduceRequestTimeout(10*time.Second),
		// The fastest level: the next one holds a megabyte more per producer, and packs events hardly closer.
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(1), kgo.NoCompression()),
	)
	if err != nil {
		return err
	}
	p.client = client
	return nil
}

func (p *Producer) drop() {
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
}

// partitioner lets a record choose its partition, and the key (Kafka's own murmur2) where it does not.
type partitioner struct{ byKey kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

func (p topicPartitioner) RequiresConsistency(record *kgo.Record) bool {
	return record.Partition != AnyPartition || p.byKey.RequiresConsistency(record)
}

func (p topicPartitioner) Partition(record *kgo.Record, count int) int {
	if record.Partition != AnyPartition {
		return int(record.Partition)
	}
	return p.byKey.Partition(record, count)
}

func (p topicPartitioner) OnNewBatch() {
	if sticky, ok := p.byKey.(kgo.TopicPartitionerOnNewBatch); ok {
		sticky.OnNewBatch()
	}
}

func toClient(record *Record) *kgo.Record {
	headers := make([]kgo.RecordHeader, len(record.Headers))
	for position, header := range record.Headers {
		headers[position] = kgo.RecordHeader(header)
	}
	return &kgo.Record{
		Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: headers, Partition: record.Partition,
	}
}

func fromClient(record *kgo.Record) Record {
	headers := make([]Header, len(record.Headers))
	for position, header := range record.Headers {
		headers[position] = Header(header)
	}
	return Record{
		Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: headers,
		Partition: record.Partition, Offset: record.Offset, Time: record.Timestamp.UTC(),
	}
}
