package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a member reads ahead, packed as the producer sent it. Unpacked events take ten to twenty times as much, and every
// service behind a backlog holds them: more than this makes nothing faster. A larger batch comes whole, by itself.
const (
	fetchBytes          = 1 << 20
	fetchPartitionBytes = 256 << 10
)

// GroupConfig says what a group reads.
type GroupConfig struct {
	// Group is the consumer group; its members share the partitions of Topics.
	Group  string
	Topics []string
	// MaxRecords bounds one Poll; 500 when zero.
	MaxRecords int
}

// Group is one member of a consumer group, starting at the oldest record where nothing is committed yet. It must be
// used by one goroutine: Poll, apply, Commit, and again. Between Poll and the next Poll no partition is taken away.
type Group struct {
	client     *kgo.Client
	admin      *kadm.Client
	group      string
	topics     []string
	maxRecords int
	polled     []*kgo.Record
}

// NewGroup checks the settings; the broker may come later.
func NewGroup(connection Connection, config GroupConfig, logger *slog.Logger) (*Group, error) {
	if config.Group == "" || len(config.Topics) == 0 {
		return nil, errors.New("a consumer group needs a name and topics")
	}
	if config.MaxRecords <= 0 {
		config.MaxRecords = 500
	}
	client, err := connection.open(logger,
		kgo.ConsumerGroup(config.Group),
		kgo.ConsumeTopics(config.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.SessionTimeout(15*time.Second),
		kgo.RebalanceTimeout(30*time.Second),
	)
	if err != nil {
		return nil, err
	}
	return &Group{
		client: client, admin: kadm.NewClient(client), group: config.Group, topics: config.Topics, maxRecords: config.MaxRecords,
	}, nil
}

// EnsureTopics is EnsureTopics over the group's own connection.
func (g *Group) EnsureTopics(ctx context.Context, topics ...Topic) error {
	return ensureTopics(ctx, g.admin, topics)
}

// Poll lets go of the records polled before and waits for more, at most MaxRecords, in order per partition. Records
// that were polled but not committed come back to whoever owns their partition after a restart, not to this member.
// An error comes with the records that could be read; reading goes on with the next Poll.
func (g *Group) Poll(ctx context.Context) ([]Record, error) {
	g.client.AllowRebalance()
	g.polled = g.polled[:0]
	fetches := g.client.PollRecords(ctx, g.maxRecords)
	var problems []error
	fetches.EachError(func(topic string, partition int32, err error) {
		problems = append(problems, fmt.Errorf("read %s/%d: %w", topic, partition, err))
	})
	records := make([]Record, 0, fetches.NumRecords())
	fetches.EachRecord(func(record *kgo.Record) {
		g.polled = append(g.polled, record)
		records = append(records, fromClient(record))
	})
	return records, errors.Join(problems...)
}

// Commit says that everything of the last Poll is done. A failure means that some of it may be read again.
func (g *Group) Commit(ctx context.Context) error {
	if len(g.polled) == 0 {
		return nil
	}
	if err := g.client.CommitRecords(ctx, g.polled...); err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	return nil
}

// Lag returns how many records of each topic the whole group has yet to commit.
func (g *Group) Lag(ctx context.Context) (map[string]int64, error) {
	committed, err := g.admin.FetchOffsets(ctx, g.group)
	// A group that has never committed is not known yet: everything is ahead of it.
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("fetch committed offsets: %w", err)
	}
	starts, err := g.admin.ListStartOffsets(ctx, g.topics...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := g.admin.ListEndOffsets(ctx, g.topics...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	lag := make(map[string]int64, len(g.topics))
	ends.Each(func(end kadm.ListedOffset) {
		if end.Err != nil {
			return
		}
		var from int64
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Err == nil {
			from = start.Offset
		}
		if done, ok := committed.Lookup(end.Topic, end.Partition); ok && done.Err == nil && done.At > from {
			from = done.At
		}
		lag[end.Topic] += max(end.Offset-from, 0)
	})
	return lag, nil
}

// Close leaves the group. Records polled and not committed go to another member.
func (g *Group) Close() { g.client.CloseAllowingRebalance() }
