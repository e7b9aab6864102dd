package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// change is the data of a change event.
type change struct {
	Revision string         `json:"revision"`
	Type     string         `json:"type"`
	Task     map[string]any `json:"task"`
	Comment  map[string]any `json:"comment"`
	ActorID  string         `json:"actorId"`
}

func decodeChange(t *testing.T, event client.StreamEvent) change {
	t.Helper()
	require.Equal(t, "change", event.Event, event.Data)
	var decoded change
	require.NoError(t, json.Unmarshal([]byte(event.Data), &decoded))
	require.Equal(t, event.ID, decoded.Revision)
	return decoded
}

func testLive(t *testing.T, s *suite) {
	at := s.place(t)
	t.Run("EachKindInOrder", func(t *testing.T) {
		t.Parallel()
		testLiveKinds(t, s, at)
	})
	t.Run("ManyWritersManyReaders", func(t *testing.T) {
		t.Parallel()
		testLiveMany(t, s, at)
	})
}

func (s *suite) open(t *testing.T, who *client.Person, project, lastID string) *client.Stream {
	t.Helper()
	stream, err := s.OpenStream(t.Context(), who, project+":watch", lastID)
	require.NoError(t, err)
	t.Cleanup(stream.Close)
	return stream
}

func next(t *testing.T, stream *client.Stream) client.StreamEvent {
	t.Helper()
	event, err := stream.Next()
	require.NoError(t, err)
	return event
}

// testLiveKinds makes one change of each kind while a stream is open, then asks for parts of it again.
func testLiveKinds(t *testing.T, s *suite, at place) {
	project := s.project(t, at.organization, at.owner, "LIV")
	stream := s.open(t, at.owner, project, "")
	snapshot := next(t, stream)
	require.Equal(t, "snapshot", snapshot.Event)
	path, made := s.task(t, project, at.owner, "Shown")
	s.must(t, at.owner, http.MethodPatch, path, map[string]any{"title": "Changed"})
	s.must(t, at.owner, http.MethodPost, path+":assign", map[string]any{"assigneeId": at.owner.ID})
	s.must(t, at.owner, http.MethodPost, path+":transition", map[string]any{"status": "in_progress"})
	comment := s.must(t, at.owner, http.MethodPost, path+"/comments", map[string]any{"body": "Said"})
	s.must(t, at.owner, http.MethodPatch, path+"/comments/"+comment.Text("id"), map[string]any{"body": "Meant"})
	s.must(t, at.owner, http.MethodDelete, path+"/comments/"+comment.Text("id"), nil)
	s.must(t, at.owner, http.MethodDelete, path, nil)
	s.must(t, at.owner, http.MethodPatch, project, map[string]any{"displayName": "Renamed"})
	s.must(t, at.owner, http.MethodPost, project+":archive", map[string]any{})
	s.must(t, at.owner, http.MethodPost, project+":unarchive", map[string]any{})
	wanted := []string{"task.created", "task.updated", "task.assigned", "task.status_changed", "comment.created", "comment.updated",
		"comment.deleted", "task.deleted", "project.updated", "project.archived", "project.unarchived"}
	var events []client.StreamEvent
	for i, kind := range wanted {
		event := next(t, stream)
		decoded := decodeChange(t, event)
		require.Equal(t, kind, decoded.Type)
		require.Equal(t, fmt.Sprint(number(t, snapshot.ID)+i+1), event.ID, "revisions have no gaps")
		require.Equal(t, at.owner.ID, decoded.ActorID)
		events = append(events, event)
	}
	require.Equal(t, made.Text("id"), decodeChange(t, events[0]).Task["id"])
	require.Equal(t, "Changed", decodeChange(t, events[1]).Task["title"])
	require.Equal(t, "in_progress", decodeChange(t, events[3]).Task["status"])
	require.Equal(t, "Meant", decodeChange(t, events[5]).Comment["body"])
	// Whoever comes back gets exactly what was missed, then what is new.
	for from := range events {
		again := s.open(t, at.owner, project, events[from].ID)
		for _, missed := range events[from+1:] {
			require.Equal(t, missed, next(t, again))
		}
		again.Close()
	}
	// An id the project never had begins anew.
	require.Equal(t, "snapshot", next(t, s.open(t, at.owner, project, "999999")).Event)
	s.refused(t, http.StatusBadRequest, "INVALID_ARGUMENT", at.owner, http.MethodGet, project+":watch", nil, client.WithHeader("Last-Event-ID", "yesterday"))
}

func number(t *testing.T, text string) int {
	t.Helper()
	value, err := strconv.Atoi(text)
	require.NoError(t, err)
	return value
}

// testLiveMany writes from several clients, in the split form through both workflow processes, while several streams
// are open, some of which come and go. Each sees every change once and in order.
func testLiveMany(t *testing.T, s *suite, at place) {
	const writers, each, readers = 4, 12, 6
	project := s.project(t, at.organization, at.owner, "MNY")
	var streams []*client.Stream
	first := 0
	for range readers {
		stream := s.open(t, at.owner, project, "")
		snapshot := next(t, stream)
		require.Equal(t, "snapshot", snapshot.Event)
		first = number(t, snapshot.ID)
		streams = append(streams, stream)
	}
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				answer, err := s.Do(t.Context(), at.owner, http.MethodPost, project+"/tasks", map[string]any{"title": fmt.Sprint(writer, "/", i)})
				if err != nil || answer.Status != http.StatusOK {
					t.Errorf("create task: %v %s", err, answer.Raw)
				}
			}
		})
	}
	defer running.Wait()
	for reader, stream := range streams {
		for i := range writers * each {
			if reader%2 == 1 && i%10 == 9 {
				stream.Close()
				stream = s.open(t, at.owner, project, fmt.Sprint(first+i))
			}
			require.Equal(t, fmt.Sprint(first+i+1), next(t, stream).ID, "reader %d", reader)
		}
	}
}
