package kill_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	notificationv1 "github.com/braidhq/braid/gen/go/braid/notification/v1"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
)

// services are those that publish events.
var services = []string{"identity", "organization", "workflow", "notification"}

// wire is what is on the topics.
type wire struct {
	// events are the first occurrences, in the order read: that of the partition for those of one partition.
	events []bus.Event
	// records counts all, doubles those that repeat an event.
	records, doubles int
	// deadLetters counts events that a consumer has given up.
	deadLetters int
}

func readWire(ctx context.Context, connection bus.Connection) (*wire, error) {
	logger := slog.New(slog.DiscardHandler)
	found := &wire{}
	seen := map[id.ID]bool{}
	for _, service := range services {
		err := bus.ReadTopic(ctx, connection, bus.EventTopic(service), logger, func(record bus.Record) error {
			event, err := bus.Decode(record)
			if err != nil {
				return fmt.Errorf("%s/%d at %d: %w", record.Topic, record.Partition, record.Offset, err)
			}
			found.records++
			if seen[event.ID] {
				found.doubles++
				return nil
			}
			seen[event.ID] = true
			found.events = append(found.events, event)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for _, service := range append([]string{"audit"}, services...) {
		err := bus.ReadTopic(ctx, connection, bus.DeadLetterTopic(service), logger, func(bus.Record) error {
			found.deadLetters++
			return nil
		})
		if err != nil && !errors.Is(err, bus.ErrUnknownTopic) {
			return nil, err
		}
	}
	return found, nil
}

// taskEvent is an event of the kind that writers cause, read.
type taskEvent struct {
	bus.Event
	task    *workflowv1.Task
	comment *workflowv1.Comment
	// kind is that of the notifications it causes, concerned are those who get one, unless they did it themselves.
	kind      string
	concerned []string
}

// readTaskEvent returns false for events of other kinds.
func readTaskEvent(event bus.Event) (taskEvent, bool, error) {
	read := taskEvent{Event: event}
	switch event.Type {
	case taskCreated:
		var payload workflowv1.TaskCreated
		err := event.Unmarshal(&payload)
		read.task, read.kind, read.concerned = payload.GetTask(), "task_assigned", []string{payload.GetTask().GetAssigneeId()}
		return read, true, err
	case taskAssigned:
		var payload workflowv1.TaskAssigned
		err := event.Unmarshal(&payload)
		read.task, read.kind = payload.GetTask(), "task_assigned"
		read.concerned = append(payload.GetParticipantIds(), payload.GetPreviousAssigneeId())
		return read, true, err
	case taskStatusChanged:
		var payload workflowv1.TaskStatusChanged
		err := event.Unmarshal(&payload)
		read.task, read.kind, read.concerned = payload.GetTask(), "task_status_changed", payload.GetParticipantIds()
		return read, true, err
	case taskCommented:
		var payload workflowv1.TaskCommented
		err := event.Unmarshal(&payload)
		read.task, read.comment = payload.GetTask(), payload.GetComment()
		read.kind, read.concerned = "task_commented", payload.GetParticipantIds()
		return read, true, err
	default:
		return read, false, nil
	}
}

func (w *wire) taskEvents() ([]taskEvent, error) {
	var all []taskEvent
	for _, event := range w.events {
		read, wanted, err := readTaskEvent(event)
		if err != nil {
			return nil, err
		}
		if wanted {
			all = append(all, read)
		}
	}
	return all, nil
}

// notice is a notification as its reader can tell it from others: the API shows no event's id.
type notice struct {
	userID, kind, taskID, actorID string
	// micros is when the event happened.
	micros int64
}

// notices counts the notifications that the events must have caused.
func notices(events []taskEvent) map[notice]int {
	wanted := map[notice]int{}
	for _, event := range events {
		told := map[string]bool{"": true, event.Actor.UserID.String(): true}
		for _, userID := range event.concerned {
			if told[userID] {
				continue
			}
			told[userID] = true
			wanted[notice{userID, event.kind, event.task.GetId(), event.Actor.UserID.String(), event.Time.UnixMicro()}]++
		}
	}
	return wanted
}

// delivery is how a mail about a task ended.
type delivery struct {
	id, correlationID string
	failed            bool
}

// deliveries lists the ends of mails about tasks, in events.
func (w *wire) deliveries() ([]delivery, error) {
	var ended []delivery
	for _, event := range w.events {
		switch event.Type {
		case bus.TypeOf(&notificationv1.NotificationDelivered{}):
			var payload notificationv1.NotificationDelivered
			if err := event.Unmarshal(&payload); err != nil {
				return nil, err
			}
			if strings.HasPrefix(payload.GetKind(), "task_") {
				ended = append(ended, delivery{id: payload.GetDeliveryId(), correlationID: event.CorrelationID})
			}
		case bus.TypeOf(&notificationv1.NotificationFailed{}):
			var payload notificationv1.NotificationFailed
			if err := event.Unmarshal(&payload); err != nil {
				return nil, err
			}
			ended = append(ended, delivery{id: payload.GetDeliveryId(), correlationID: event.CorrelationID, failed: true})
		}
	}
	return ended, nil
}
