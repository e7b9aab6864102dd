package deadletter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func letterOf(t *testing.T, partition int32, offset int64) Letter {
	t.Helper()
	record, err := bus.Encode("writer.events", bustest.NewEvent(id.New()))
	require.NoError(t, err)
	record.Partition, record.Offset, record.Value = partition, offset, []byte("payload")
	return Letter{
		ID: identify(record), Record: record, Consumer: "reader", Reason: "did not fit", Attempts: 3, Time: now,
	}
}

func TestLetterSurvivesTheWire(t *testing.T) {
	t.Parallel()
	letter := letterOf(t, 3, 42)
	record := Encode(letter)
	require.Equal(t, "reader.dead-letter", record.Topic)
	record.Offset = 7
	got, err := decode(record)
	require.NoError(t, err)
	letter.offset = 7
	require.Equal(t, letter, got)

	brought := replay("reader", got)
	require.Equal(t, "reader.replay", brought.Topic)
	brought.Partition, brought.Offset = 0, 99
	original, tried := Restore(brought)
	require.Equal(t, letter.Record, original, "a replay is the original again")
	require.Equal(t, letter.Attempts, tried)
	got.Record = brought
	again, err := decode(Encode(got))
	require.NoError(t, err)
	require.Equal(t, letter.Record, again.Record, "the second letter names the first place")
}

func TestReasonIsBoundedAndStaysText(t *testing.T) {
	t.Parallel()
	letter := letterOf(t, 0, 0)
	letter.Reason = "x" + strings.Repeat("é", 5000)
	got, err := decode(Encode(letter))
	require.NoError(t, err)
	require.LessOrEqual(t, len(got.Reason), maxReason+len("…"))
	require.True(t, strings.HasSuffix(got.Reason, "é…"))
}

func TestDecodeRefusesWhatIsNoLetter(t *testing.T) {
	t.Parallel()
	good := Encode(letterOf(t, 0, 0))
	for _, missing := range []string{headerTopic, headerAttempts, headerTime} {
		record := good
		record.Headers = nil
		for _, header := range good.Headers {
			if header.Key != missing {
				record.Headers = append(record.Headers, header)
			}
		}
		_, err := decode(record)
		require.Error(t, err, missing)
	}
}

// A replayed letter may fail again before its marker is written. The marker settles what was looked at, not what came
// since.
func TestMarkerSettlesOnlyWhatItWasWrittenFor(t *testing.T) {
	t.Parallel()
	connection, logger := bustest.Connect(t), bustest.Logger(t)
	require.NoError(t, bus.EnsureTopics(t.Context(), connection, logger, Topics("reader", time.Hour, 0)...))
	producer, err := bus.NewProducer(connection, logger)
	require.NoError(t, err)
	defer producer.Close()
	letter, other := letterOf(t, 0, 1), letterOf(t, 0, 2)
	first := letter // at offset 0
	require.NoError(t, errors.Join(producer.Publish(t.Context(),
		Encode(letter), Encode(other), Encode(letter), marker("reader", first, Replayed, now),
		bus.Record{Topic: bus.DeadLetterTopic("reader"), Partition: 0, Value: []byte("something else")},
	)...))
	desk := NewDesk(connection, clock.NewManual(now), logger)
	open, err := desk.List(t.Context(), "reader", 10)
	require.NoError(t, err)
	require.Len(t, open, 2)
	require.Equal(t, letter.ID, open[0].ID)
	require.Equal(t, int64(2), open[0].offset)

	require.NoError(t, desk.Discard(t.Context(), "reader", letter.ID))
	open, err = desk.List(t.Context(), "reader", 10)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, other.ID, open[0].ID)
}
