package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/bus/deadletter"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

func deadLetter(t *testing.T) deadletter.Letter {
	t.Helper()
	payload, err := proto.Marshal(&workflowv1.TaskDeleted{Task: &workflowv1.Task{Title: "Shown"}})
	require.NoError(t, err)
	eventID := id.New()
	record, err := bus.Encode("workflow.events", bus.Event{
		ID: eventID, Type: "workflow.task.deleted", Source: "/braid/workflow", Time: time.Unix(1_700_000_000, 0),
		Schema: "braid.workflow.v1.TaskDeleted", Data: payload, Key: []byte("organization"), ClientAddress: "192.0.2.7",
		Actor: call.Actor{Kind: call.System}, CorrelationID: "work", Extensions: []bus.Header{
			{Key: "x-api-key", Value: []byte("canary")}, {Key: "note", Value: []byte("kept")},
		},
	})
	require.NoError(t, err)
	record.Partition, record.Offset = 3, 42
	return deadletter.Letter{
		ID: eventID.String(), Record: record, Consumer: "audit", Reason: "did not fit", Attempts: 6, Time: time.Unix(1_700_000_100, 0).UTC(),
	}
}

// printed returns a letter as it is printed.
func printed(t *testing.T, letter deadletter.Letter, whole bool) (read map[string]any) {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, printLetter(&out, letter, whole))
	require.NotContains(t, out.String(), "canary")
	require.NotContains(t, out.String(), "192.0.2.7")
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	return read
}

func TestDeadLettersSayWhereTheyCameFromAndWhatTheyCameWith(t *testing.T) {
	t.Parallel()
	letter := deadLetter(t)
	for _, whole := range []bool{false, true} {
		shown := printed(t, letter, whole)
		require.Equal(t, []any{letter.ID, "did not fit", 6.0, "2023-11-14T22:15:00Z", "workflow.events", 3.0, 42.0, "organization"}, []any{
			shown["id"], shown["reason"], shown["attempts"], shown["lastTryTime"], shown["topic"], shown["partition"],
			shown["offset"], shown["key"],
		})
		require.Equal(t, "workflow.task.deleted", shown["type"])
		headers := shown["headers"].([]any)
		require.Len(t, headers, len(letter.Record.Headers))
		require.Contains(t, headers, map[string]any{"name": "ce_correlationid", "value": "work"})
		require.Contains(t, headers, map[string]any{"name": "note", "value": "kept"})
		require.Contains(t, headers, map[string]any{"name": "x-api-key", "value": hiddenHeader})
		require.Contains(t, headers, map[string]any{"name": "ce_clientaddress", "value": hiddenHeader})
		event, _ := shown["event"].(map[string]any)
		require.Equal(t, whole, event != nil)
		if whole {
			require.Equal(t, "Shown", event["data"].(map[string]any)["task"].(map[string]any)["title"])
		}
	}
}

func TestDeadLetterThatIsNoEvent(t *testing.T) {
	t.Parallel()
	letter := deadLetter(t)
	letter.Record.Headers = append(letter.Record.Headers, bus.Header{Key: "ce_id", Value: []byte("twice")})
	_, problem := letter.Event()
	require.ErrorIs(t, problem, bus.ErrMalformed)
	shown := printed(t, letter, true)
	event := shown["event"].(map[string]any)
	require.Equal(t, []any{"workflow.events", 3.0, 42.0}, []any{event["topic"], event["partition"], event["offset"]})
	require.NotContains(t, event, "time", "rather none than the year 1")
	require.Equal(t, problem.Error(), event["problem"])
	require.Contains(t, shown["headers"], map[string]any{"name": "ce_id", "value": "twice"})
}
