package app

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// fact is one thing that happened in a project: one revision, one change for those who watch, one event for the other
// services.
type fact struct {
	// subject is what it happened to: "task/<id>".
	subject string
	// event is for the other services.
	event proto.Message
	// change is for those who watch: type and resource are set, the rest is filled in. A project's creation has none.
	change *workflowv1.ProjectChange
	// revision is the one the fact took from the locked project.
	revision int64
}

// record queues a fact. The project must be locked by the transaction: revisions and events then have the same order.
func (a *App) record(ctx context.Context, tx *pg.Tx, project domain.Project, happened fact, now time.Time) error {
	if happened.change != nil {
		happened.change.Revision = happened.revision
		happened.change.ActorId = call.From(ctx).Actor.UserID.String()
		happened.change.ChangeTime = timestamppb.New(now)
		payload, err := proto.Marshal(happened.change)
		if err != nil {
			return fmt.Errorf("encode change: %w", err)
		}
		store.InsertChange(tx, project, store.Change{Revision: happened.revision, Payload: payload}, now)
		ref := project.Ref()
		tx.AfterCommit(func() { a.changed(ref) })
	}
	return outbox.Append(ctx, tx, a.clock, outbox.Event{
		Message: happened.event, Key: project.OrganizationID, OrganizationID: project.OrganizationID, Subject: happened.subject,
	})
}

func projectSubject(project domain.Project) string { return "project/" + project.ID.String() }

func taskSubject(task domain.Task) string { return "task/" + task.ID.String() }

func commentSubject(comment domain.Comment) string { return "comment/" + comment.ID.String() }

func taskCreated(task domain.Task) fact {
	encoded := EncodeTask(task)
	return fact{
		subject: taskSubject(task), revision: task.Revision,
		event:  &workflowv1.TaskCreated{Task: encoded},
		change: &workflowv1.ProjectChange{Type: "task.created", Task: encoded},
	}
}

func taskUpdated(task domain.Task, changedFields []string) fact {
	encoded := EncodeTask(task)
	return fact{
		subject: taskSubject(task), revision: task.Revision,
		event:  &workflowv1.TaskUpdated{Task: encoded, ChangedFields: changedFields},
		change: &workflowv1.ProjectChange{Type: "task.updated", Task: encoded},
	}
}

func taskAssigned(task domain.Task, previousAssigneeID id.ID) fact {
	encoded := EncodeTask(task)
	return fact{
		subject: taskSubject(task), revision: task.Revision,
		event: &workflowv1.TaskAssigned{
			Task: encoded, PreviousAssigneeId: previousAssigneeID.String(), ParticipantIds: encodeIDs(task.ParticipantIDs()),
		},
		change: &workflowv1.ProjectChange{Type: "task.assigned", Task: encoded},
	}
}

func taskStatusChanged(task domain.Task, previous domain.Status) fact {
	encoded := EncodeTask(task)
	return fact{
		subject: taskSubject(task), revision: task.Revision,
		event: &workflowv1.TaskStatusChanged{
			Task: encoded, PreviousStatus: string(previous), ParticipantIds: encodeIDs(task.ParticipantIDs()),
		},
		change: &workflowv1.ProjectChange{Type: "task.status_changed", Task: encoded},
	}
}

// taskDeleted shows the task as it last was, its etag included; revision is that of the deletion.
func taskDeleted(task domain.Task, revision int64) fact {
	encoded := EncodeTask(task)
	return fact{
		subject: taskSubject(task), revision: revision,
		event:  &workflowv1.TaskDeleted{Task: encoded},
		change: &workflowv1.ProjectChange{Type: "task.deleted", Task: encoded},
	}
}

func taskCommented(task domain.Task, comment domain.Comment) fact {
	encoded, remark := EncodeTask(task), EncodeComment(comment)
	return fact{
		subject: commentSubject(comment), revision: comment.Revision,
		event: &workflowv1.TaskCommented{
			Task: encoded, Comment: remark, ParticipantIds: encodeIDs(task.ParticipantIDs()),
		},
		change: &workflowv1.ProjectChange{Type: "comment.created", Task: encoded, Comment: remark},
	}
}

func commentUpdated(task domain.Task, comment domain.Comment) fact {
	encoded, remark := EncodeTask(task), EncodeComment(comment)
	return fact{
		subject: commentSubject(comment), revision: comment.Revision,
		event:  &workflowv1.CommentUpdated{Task: encoded, Comment: remark},
		change: &workflowv1.ProjectChange{Type: "comment.updated", Task: encoded, Comment: remark},
	}
}

// commentDeleted shows the comment as it last was; revision is that of the deletion.
func commentDeleted(task domain.Task, comment domain.Comment, revision int64) fact {
	encoded, remark := EncodeTask(task), EncodeComment(comment)
	return fact{
		subject: commentSubject(comment), revision: revision,
		event:  &workflowv1.CommentDeleted{Task: encoded, Comment: remark},
		change: &workflowv1.ProjectChange{Type: "comment.deleted", Task: encoded, Comment: remark},
	}
}
