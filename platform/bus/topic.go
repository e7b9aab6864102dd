package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/braidhq/braid/platform/clock"
)

// Topic is a topic as it should be.
type Topic struct {
	Name       string
	Partitions int32
	// Retention is how long records are kept; zero keeps them for ever.
	Retention time.Duration
	// SegmentBytes is how much is taken away at once when it is too old; zero leaves it to the cluster's default.
	SegmentBytes int
	// Replication is the number of copies; zero leaves it to the cluster's default.
	Replication int16
}

// topicTimeout bounds how long a cluster may take to know a topic that it has made.
const topicTimeout = 10 * time.Second

// EnsureTopics creates the topics that are missing, and returns when they can be used. Topics that exist are left as they
// are: adding partitions would break the order per key, and retention belongs to whoever runs the cluster once it is there.
func EnsureTopics(ctx context.Context, connection Connection, logger *slog.Logger, topics ...Topic) error {
	client, err := connection.open(logger)
	if err != nil {
		return err
	}
	defer client.Close()
	return ensureTopics(ctx, kadm.NewClient(client), topics)
}

func ensureTopics(ctx context.Context, admin *kadm.Client, topics []Topic) error {
	var problems []error
	var created []string
	for _, topic := range topics {
		retention := "-1"
		if topic.Retention > 0 {
			retention = strconv.FormatInt(topic.Retention.Milliseconds(), 10)
		}
		replication := topic.Replication
		if replication == 0 {
			replication = -1
		}
		configs := map[string]*string{
			// Set on the topic itself: the embedded broker applies no other retention.
			"retention.ms":   &retention,
			"cleanup.policy": kadm.StringPtr("delete"),
		}
		if topic.SegmentBytes > 0 {
			configs["segment.bytes"] = kadm.StringPtr(strconv.Itoa(topic.SegmentBytes))
		}
		response, err := admin.CreateTopic(ctx, max(topic.Partitions, 1), replication, configs, topic.Name)
		if err == nil {
			err = response.Err
		}
		switch {
		case err == nil:
			created = append(created, topic.Name)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			problems = append(problems, fmt.Errorf("create topic %s: %w", topic.Name, err))
		}
	}
	if len(created) > 0 {
		problems = append(problems, awaitTopics(ctx, admin, created))
	}
	return errors.Join(problems...)
}

// awaitTopics returns when every partition of new topics answers: the brokers learn of a topic, and then open its
// partitions, a moment after the cluster has said that it made it. Topics that were there before are not waited for, because
// one partition out of order must not keep a process from starting.
func awaitTopics(ctx context.Context, admin *kadm.Client, topics []string) error {
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		_, err := listed(admin.ListEndOffsets(ctx, topics...))
		if err == nil {
			return nil
		}
		if clock.Sleep(ctx, Backoff(attempt, 10*time.Millisecond, time.Second)) != nil {
			return fmt.Errorf("wait for topics %v: %w", topics, err)
		}
	}
}

// topicState is a topic as it is.
type topicState struct {
	// topicID tells it from one of the same name before or after it; a cluster that knows none gives the same to all.
	topicID    string
	partitions int32
}

// describeTopics returns what topics are now: the client's own answer would be one of a moment ago. A topic that does not
// exist is an error.
func describeTopics(ctx context.Context, client *kgo.Client, topics ...string) (map[string]topicState, error) {
	request := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	found := make(map[string]topicState, len(topics))
	for _, topic := range response.Topics {
		if topic.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("describe topics: %s: %w", *topic.Topic, explain(err))
		}
		found[*topic.Topic] = topicState{
			topicID:    kadm.TopicID(topic.TopicID).String(),
			partitions: int32(len(topic.Partitions)), //nolint:gosec // Kafka itself counts partitions in an int32.
		}
	}
	for _, topic := range topics {
		if found[topic].partitions == 0 {
			return nil, fmt.Errorf("describe topics: %s: %w", topic, ErrUnknownTopic)
		}
	}
	return found, nil
}

// Ends are where the partitions of one topic end.
type Ends struct {
	// TopicID tells the topic from one of the same name that was made after it.
	TopicID string `json:"topicId"`
	// Offsets are those behind the last record, by partition.
	Offsets []int64 `json:"ends"`
}

// listEnds asks where a topic ends, and only then which topic that is and how many partitions it has. The other way round
// the ends could be those of a topic made again, under the name of the one before, of which somebody has read more.
func listEnds(ctx context.Context, client *kgo.Client, topic string) (Ends, error) {
	offsets, err := listed(kadm.NewClient(client).ListEndOffsets(ctx, topic))
	if err != nil {
		return Ends{}, fmt.Errorf("list end offsets: %w", err)
	}
	states, err := describeTopics(ctx, client, topic)
	if err != nil {
		return Ends{}, err
	}
	ends := Ends{TopicID: states[topic].topicID}
	for number := range states[topic].partitions {
		end, ok := offsets.Lookup(topic, number)
		if !ok {
			return Ends{}, fmt.Errorf("list end offsets: no answer for %s/%d", topic, number)
		}
		ends.Offsets = append(ends.Offsets, end.Offset)
	}
	return ends, nil
}

// listed makes an answer about offsets that holds an error an error.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, explain(err)
}

// explain gives the client's errors that callers tell apart a name of ours.
func explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID) {
		return fmt.Errorf("%w: %w", ErrUnknownTopic, err)
	}
	return err
}
