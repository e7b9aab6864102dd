package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/test/client"
)

// testWalk is the README's walk: what a person can do, and one correlation id through all of it.
func testWalk(t *testing.T, s *suite) {
	tail := s.tailEvents(t)
	ada, cleo := s.signUp(t, "Ada"), s.signUp(t, "Cleo")
	organization := s.organization(t, ada, "Walk")
	ben := client.NewPerson("Ben")
	// Ben is invited before he has an account, as in the README.
	s.must(t, ada, http.MethodPost, organization+"/invitations", map[string]any{"email": ben.Email, "roleId": "member"})
	_, token, err := s.AwaitMail(t.Context(), ben.Email, client.TokenPattern)
	require.NoError(t, err)
	require.NoError(t, s.Register(t.Context(), ben))
	accepted := s.must(t, ben, http.MethodPost, "/api/v1/invitations:accept", map[string]any{"token": token})
	require.Equal(t, idOf(organization), accepted.Text("organizationId"))
	project := s.project(t, organization, ada, "WEB")
	stream, err := s.OpenStream(t.Context(), ada, project+":watch", "")
	require.NoError(t, err)
	defer stream.Close()
	task, made := s.task(t, project, ada, "Write the welcome page")
	require.Equal(t, "WEB-1", made.Text("key"))

	correlationID := "walk-" + idOf(task)
	assigned := s.must(t, ada, http.MethodPost, task+":assign", map[string]any{"assigneeId": ben.ID}, client.WithHeader("X-Correlation-Id", correlationID))
	require.Equal(t, correlationID, assigned.Header.Get("X-Correlation-Id"))
	require.Equal(t, ben.ID, assigned.Text("assigneeId"))
	for _, wanted := range []string{"snapshot", "task.created", "task.assigned"} {
		event, err := stream.Next()
		require.NoError(t, err)
		require.Contains(t, []string{event.Event, changeOf(t, event)}, wanted)
	}
	s.checkAssigned(t, ben, correlationID)
	s.checkTrail(t, tail, organization, ada, ben, correlationID, task)
	for _, path := range []string{organization, organization + "/members", project, project + "/tasks", task, task + "/comments", organization + "/audit-events", project + ":watch"} {
		s.refused(t, http.StatusNotFound, "NOT_FOUND", cleo, http.MethodGet, path, nil)
	}
}

// changeOf is the type of a change, or "".
func changeOf(t *testing.T, event client.StreamEvent) string {
	var change struct {
		Type string `json:"type"`
	}
	require.NoError(t, json.Unmarshal([]byte(event.Data), &change))
	return change.Type
}

// checkAssigned waits for the notification and the mail.
func (s *suite) checkAssigned(t *testing.T, ben *client.Person, correlationID string) {
	s.await(t, func() error {
		list := s.get(t, ben, "/api/v1/me/notifications?filter="+url.QueryEscape("unread = true")).List("notifications")
		return containsAll(textsOf(list, "taskKey"), "WEB-1")
	})
	mail, _, err := s.AwaitMail(t.Context(), ben.Email, regexp.MustCompile(`WEB-1`))
	require.NoError(t, err)
	require.Equal(t, correlationID, mail.Headers["xCorrelationId"], "the mail carries the correlation id: %v", mail.Headers)
	require.Contains(t, mail.HTML, "WEB-1")
}

// checkTrail follows one correlation id through the audit trail and the topics.
func (s *suite) checkTrail(t *testing.T, tail *eventTail, organization string, ada, ben *client.Person, correlationID, task string) {
	s.await(t, func() error {
		records := s.get(t, ada, organization+"/audit-events?filter="+url.QueryEscape(fmt.Sprintf("correlationId = %q", correlationID))).List("auditEvents")
		return containsAll(textsOf(records, "action"), "workflow.task.assigned")
	})
	records := s.get(t, ada, organization+"/audit-events?filter="+url.QueryEscape(fmt.Sprintf("correlationId = %q AND action = %q", correlationID, "workflow.task.assigned"))).List("auditEvents")
	require.Len(t, records, 1)
	require.Equal(t, ada.ID, records[0]["actorId"])
	require.Equal(t, "task", records[0]["resourceType"])
	require.Equal(t, idOf(task), records[0]["resourceId"])
	require.NotEmpty(t, records[0]["clientAddress"])
	s.refused(t, http.StatusForbidden, "PERMISSION_DENIED", ben, http.MethodGet, organization+"/audit-events", nil)
	s.await(t, func() error {
		events := tail.of(correlationID)
		var types []string
		for _, event := range events {
			types = append(types, event.Type)
		}
		return containsAll(types, "workflow.task.assigned")
	})
	event := tail.of(correlationID)[0]
	require.Equal(t, records[0]["eventId"], event.ID)
	require.Equal(t, idOf(organization), event.OrganizationID)
	require.Equal(t, ada.ID, event.ActorID)
}

// tailedEvent is a line of `braid events tail`.
type tailedEvent struct {
	Type           string          `json:"type"`
	ID             string          `json:"id"`
	OrganizationID string          `json:"organizationId"`
	ActorID        string          `json:"actorId"`
	CorrelationID  string          `json:"correlationId"`
	Topic          string          `json:"topic"`
	Data           json.RawMessage `json:"data"`
}

// eventTail is a running `braid events tail`.
type eventTail struct {
	mu     sync.Mutex
	events []tailedEvent
	lines  []string
}

// text is all that was printed.
func (e *eventTail) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.lines, "\n")
}

func (s *suite) tailEvents(t *testing.T) *eventTail {
	ctx, cancel := context.WithCancel(context.Background())
	command := s.running.Command(ctx, "events", "tail", "--last", "1000")
	output, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	tail, ended := &eventTail{}, make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(output)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var event tailedEvent
			if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
				t.Errorf("events tail printed %q: %v", lines.Text(), err)
				return
			}
			tail.mu.Lock()
			tail.events = append(tail.events, event)
			tail.lines = append(tail.lines, lines.Text())
			tail.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		var exit interface{ ExitCode() int }
		if err := command.Wait(); err != nil && !errors.As(err, &exit) {
			t.Errorf("events tail: %v", err)
		}
	})
	return tail
}

// of returns the events with a correlation id.
func (e *eventTail) of(correlationID string) []tailedEvent {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []tailedEvent
	for _, event := range e.events {
		if event.CorrelationID == correlationID {
			found = append(found, event)
		}
	}
	return found
}
