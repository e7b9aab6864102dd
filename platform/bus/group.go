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

// commitInterval is how long offsets of what is done may go uncommitted while the member keeps its partitions. Each commit
// is a write that the broker syncs, and what is read again because of a missing one is passed over by its inbox rows.
const commitInterval = 500 * time.Millisecond

// leaveTimeout bounds each of the last commit and the good-bye: without a broker the member is only missed.
const leaveTimeout = 2 * time.Second

// GroupConfig says what a group reads.
type GroupConfig struct {
	// Group is the consumer group; its members share the partitions of Topics.
	Group  string
	Topics []string
	// MaxRecords bounds one Poll; 500 when zero.
	MaxRecords int
}

// Group is one member of a consumer group, starting at the oldest record where nothing is committed yet. It must be
// used by one goroutine: Poll, apply, Done, and again. Between Poll and the next Poll no partition is taken away.
type Group struct {
	client *kgo.Client
	// abandon ends what the client waits for.
	abandon    context.CancelFunc
	admin      *kadm.Client
	group      string
	topics     []string
	maxRecords int
	// polled is the last record of each partition in the last Poll.
	polled []*kgo.Record
}

// NewGroup checks the settings; the broker may come later.
func NewGroup(connection Connection, config GroupConfig, logger *slog.Logger) (*Group, error) {
	if config.Group == "" || len(config.Topics) == 0 {
		return nil, errors.New("a consumer group needs a name and topics")
	}
	if config.MaxRecords <= 0 {
		config.MaxRecords = 500
	}
	life, abandon := context.WithCancel(context.Background())
	client, err := connection.open(logger,
		kgo.WithContext(life),
		kgo.ConsumerGroup(config.Group),
		kgo.ConsumeTopics(config.Topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Only what Done was said of is committed: every interval, before a partition is given away, and on leaving.
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(commitInterval),
		kgo.OnPartitionsRevoked(commitMarked(logger)),
		kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchMaxWait(500*time.Millisecond),
		kgo.SessionTimeout(15*time.Second),
		kgo.RebalanceTimeout(30*time.Second),
	)
	if err != nil {
		abandon()
		return nil, err
	}
	return &Group{
		client: client, abandon: abandon, admin: kadm.NewClient(client), group: config.Group, topics: config.Topics, maxRecords: config.MaxRecords,
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
	fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
		for _, record := range partition.Records {
			records = append(records, fromClient(record))
		}
		if count := len(partition.Records); count > 0 {
			g.polled = append(g.polled, partition.Records[count-1])
		}
	})
	return records, errors.Join(problems...)
}

// Done says that everything of the last Poll is done. Its offsets are committed within commitInterval; what a crash keeps
// from being committed is read again.
func (g *Group) Done() { g.client.MarkCommitRecords(g.polled...) }

// commitMarked commits what is done, once: whoever reads on needs no second try to be right.
func commitMarked(logger *slog.Logger) func(context.Context, *kgo.Client, map[string][]int32) {
	return func(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
		ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		if err := client.CommitMarkedOffsets(ctx); err != nil {
			logger.WarnContext(ctx, "offsets are not committed; some events may be read again", "error", err)
		}
	}
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

// Close commits what is done and leaves the group. What was polled and is not done goes to another member.
func (g *Group) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	g.client.AllowRebalance()
	if g.client.LeaveGroupContext(ctx) != nil {
		// The client does not leave before it has joined, and a broker lets nobody join before it has heard of all other
		// members or given them up, which takes it the time of a session.
		g.abandon()
	}
	g.client.CloseAllowingRebalance()
	g.abandon()
}
