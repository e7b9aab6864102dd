package app

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// EncodeProject returns a project as the contract shows it, in answers, events and changes alike.
func EncodeProject(project domain.Project) *workflowv1.Project {
	return &workflowv1.Project{
		Id: project.ID.String(), OrganizationId: project.OrganizationID.String(), Key: project.Key,
		DisplayName: project.DisplayName, Description: project.Description, Archived: project.Archived,
		CreateTime: timestamppb.New(project.CreateTime), UpdateTime: timestamppb.New(project.UpdateTime), Etag: project.ETag(), OwnerId: project.OwnerID.String(),
	}
}

// EncodeTask returns a task as the contract shows it.
func EncodeTask(task domain.Task) *workflowv1.Task {
	return &workflowv1.Task{
		Id: task.ID.String(), OrganizationId: task.OrganizationID.String(), ProjectId: task.ProjectID.String(),
		Number: task.Number, Key: task.Key(), Title: task.Title, Description: task.Description, Status: string(task.Status),
		Priority: workflowv1.Task_Priority(task.Priority), AssigneeId: task.AssigneeID.String(),
		ReporterId: task.ReporterID.String(), DueTime: encodeTime(task.DueTime), Labels: task.Labels,
		CreateTime: timestamppb.New(task.CreateTime), UpdateTime: timestamppb.New(task.UpdateTime), Etag: task.ETag(),
	}
}

// EncodeComment returns a comment as the contract shows it.
func EncodeComment(comment domain.Comment) *workflowv1.Comment {
	return &workflowv1.Comment{
		Id: comment.ID.String(), TaskId: comment.TaskID.String(), AuthorId: comment.AuthorID.String(), Body: comment.Body,
		CreateTime: timestamppb.New(comment.CreateTime), UpdateTime: timestamppb.New(comment.UpdateTime), Etag: comment.ETag(),
	}
}

func encodeTime(value time.Time) *timestamppb.Timestamp {
	if value.IsZero() {
		return nil
	}
	return timestamppb.New(value)
}

func encodeIDs(identifiers []id.ID) []string {
	texts := make([]string, 0, len(identifiers))
	for _, identifier := range identifiers {
		texts = append(texts, identifier.String())
	}
	return texts
}
