package consumer

import (
	"context"

	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/app"
	"github.com/braidhq/braid/services/notification/internal/domain"
)

func workflowHandlers(notifier *app.Notifier) map[string]inbox.Handler {
	return map[string]inbox.Handler{
		// A task that begins with an assignee tells that person as an assignment does.
		bus.TypeOf(&workflowv1.TaskCreated{}): tell(notifier, domain.TaskAssigned, func(payload *workflowv1.TaskCreated) concern {
			return concern{task: payload.GetTask(), userIDs: []string{payload.GetTask().GetAssigneeId()}}
		}),
		bus.TypeOf(&workflowv1.TaskAssigned{}): tell(notifier, domain.TaskAssigned, func(payload *workflowv1.TaskAssigned) concern {
			// An event of a version before this one knows no participants.
			told := append([]string{payload.GetTask().GetAssigneeId(), payload.GetPreviousAssigneeId()}, payload.GetParticipantIds()...)
			return concern{task: payload.GetTask(), previousAssigneeID: payload.GetPreviousAssigneeId(), userIDs: told}
		}),
		bus.TypeOf(&workflowv1.TaskCommented{}): tell(notifier, domain.TaskCommented, func(payload *workflowv1.TaskCommented) concern {
			return concern{task: payload.GetTask(), userIDs: payload.GetParticipantIds()}
		}),
		bus.TypeOf(&workflowv1.TaskStatusChanged{}): tell(notifier, domain.TaskStatusChanged, func(payload *workflowv1.TaskStatusChanged) concern {
			return concern{task: payload.GetTask(), userIDs: payload.GetParticipantIds()}
		}),
	}
}

// concern is the task of an event and those it might be told to; empty identifiers are nobody.
type concern struct {
	task               *workflowv1.Task
	previousAssigneeID string
	userIDs            []string
}

// payload is a pointer to a message that a handler can make an empty one of.
type payload[Message any] interface {
	*Message
	proto.Message
}

// tell makes the handler of one type of event about tasks.
func tell[Message any, Pointer payload[Message]](notifier *app.Notifier, kind domain.Kind, concerned func(Pointer) concern) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		decoded := Pointer(new(Message))
		if err := event.Unmarshal(decoded); err != nil {
			return err
		}
		fact, err := factOf(event, kind, concerned(decoded))
		if err != nil {
			return err
		}
		return notifier.TellTask(ctx, tx, fact)
	})
}

func factOf(event bus.Event, kind domain.Kind, about concern) (domain.TaskFact, error) {
	fact := domain.TaskFact{
		EventID: event.ID, ActorID: event.Actor.UserID, Kind: kind, Time: event.Time,
		TaskKey: about.task.GetKey(), TaskTitle: about.task.GetTitle(), TaskStatus: about.task.GetStatus(),
	}
	for _, wanted := range []struct {
		field, text string
		into        *id.ID
	}{
		{"task.organization_id", about.task.GetOrganizationId(), &fact.OrganizationID},
		{"task.project_id", about.task.GetProjectId(), &fact.ProjectID},
		{"task.id", about.task.GetId(), &fact.TaskID},
	} {
		parsed, err := parseID(wanted.field, wanted.text)
		if err != nil {
			return domain.TaskFact{}, err
		}
		*wanted.into = parsed
	}
	var err error
	if fact.AssigneeID, err = parseUser(about.task.GetAssigneeId()); err != nil {
		return domain.TaskFact{}, err
	}
	if fact.PreviousAssigneeID, err = parseUser(about.previousAssigneeID); err != nil {
		return domain.TaskFact{}, err
	}
	for _, text := range about.userIDs {
		userID, err := parseUser(text)
		if err != nil {
			return domain.TaskFact{}, err
		}
		fact.Concerned = append(fact.Concerned, userID)
	}
	return fact, nil
}

// parseUser reads a user's identifier; an empty one is nobody.
func parseUser(text string) (id.ID, error) {
	if text == "" {
		return id.ID{}, nil
	}
	return parseID("user id", text)
}
