package domain

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// Priority says how urgent a task is; the numbers are the contract's and those in the database.
type Priority int16

// The priorities.
const (
	Low Priority = iota + 1
	Normal
	High
	Urgent
)

// maxLabels and maxLabelLength bound a task's labels, in labels and in characters.
const (
	maxLabels      = 20
	maxLabelLength = 50
)

// TaskContent is what people write about a task: all that a draft and a PATCH may hold beside the assignee.
type TaskContent struct {
	Title       string
	Description string
	// Priority is Normal when nobody said: a zero one from outside means that.
	Priority Priority
	// DueTime is the zero time when there is none.
	DueTime time.Time
	Labels  []string
}

// contentFields are the fields of TaskContent by their names in the contract.
var contentFields = []contentField{
	field("title", func(c *TaskContent) *string { return &c.Title }, same),
	field("description", func(c *TaskContent) *string { return &c.Description }, same),
	field("priority", func(c *TaskContent) *Priority { return &c.Priority }, same),
	field("due_time", func(c *TaskContent) *time.Time { return &c.DueTime }, time.Time.Equal),
	field("labels", func(c *TaskContent) *[]string { return &c.Labels }, slices.Equal[[]string]),
}

// Task is a piece of work.
type Task struct {
	OrganizationID id.ID
	ID             id.ID
	ProjectID      id.ID
	ProjectKey     string
	// Number counts the project's tasks from 1, without gaps.
	Number int32
	TaskContent
	Status Status
	// AssigneeID is zero when nobody does it.
	AssigneeID id.ID
	ReporterID id.ID
	CreateTime time.Time
	UpdateTime time.Time
	// Revision is the project's revision at which the task last changed.
	Revision int64
	// CommenterIDs are all who ever commented, each once.
	CommenterIDs []id.ID
}

// TaskDraft is what a caller says about a new task.
type TaskDraft struct {
	TaskContent
	AssigneeID id.ID
}

// NewTask checks a draft and makes a task of it; number, key and revision are the project's to give.
func NewTask(organizationID, projectID, reporterID id.ID, draft TaskDraft, now time.Time) (Task, error) {
	content, err := draft.clean("")
	if err != nil {
		return Task{}, err
	}
	return Task{
		OrganizationID: organizationID, ID: id.New(), ProjectID: projectID, TaskContent: content, Status: Todo,
		AssigneeID: draft.AssigneeID, ReporterID: reporterID, CreateTime: now, UpdateTime: now,
	}, nil
}

// Key is the name people use: "WEB-12".
func (t Task) Key() string { return t.ProjectKey + "-" + strconv.Itoa(int(t.Number)) }

// ETag changes with every change of the task.
func (t Task) ETag() string { return ETag(t.Revision) }

// TaskPatch is a partial update: Has says which of its fields count.
type TaskPatch struct {
	TaskContent
	Has func(field string) bool
}

// Update applies a patch and returns the contract's names of the fields that changed. It takes no revision.
func (t *Task) Update(patch TaskPatch, now time.Time) (changed []string, err error) {
	next := t.TaskContent
	for _, field := range contentFields {
		if patch.Has(field.name) {
			field.take(&next, &patch.TaskContent)
		}
	}
	if next, err = next.clean("task."); err != nil {
		return nil, err
	}
	for _, field := range contentFields {
		if field.differs(&next, &t.TaskContent) {
			changed = append(changed, field.name)
		}
	}
	if len(changed) > 0 {
		t.TaskContent, t.UpdateTime = next, now
	}
	return changed, nil
}

// Assign gives the task to a user, or with the zero id to nobody, and reports whether that is a change.
func (t *Task) Assign(assigneeID id.ID, now time.Time) (changed bool) {
	if t.AssigneeID == assigneeID {
		return false
	}
	t.AssigneeID, t.UpdateTime = assigneeID, now
	return true
}

// Move takes the task to another status.
func (t *Task) Move(to Status, now time.Time) error {
	if err := t.Status.checkMove(to); err != nil {
		return err
	}
	t.Status, t.UpdateTime = to, now
	return nil
}

// AddCommenter notes who commented and reports whether it was for the first time.
func (t *Task) AddCommenter(userID id.ID) (added bool) {
	if slices.Contains(t.CommenterIDs, userID) {
		return false
	}
	t.CommenterIDs = append(slices.Clone(t.CommenterIDs), userID)
	return true
}

// ParticipantIDs are reporter, assignee and commenters: sorted, each once.
func (t Task) ParticipantIDs() []id.ID {
	participants := append([]id.ID{t.ReporterID}, t.CommenterIDs...)
	if !t.AssigneeID.IsZero() {
		participants = append(participants, t.AssigneeID)
	}
	slices.SortFunc(participants, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(participants)
}

func orNormal(priority Priority) Priority {
	if priority == 0 {
		return Normal
	}
	return priority
}

// cleanLabels returns the labels trimmed, sorted and each once; never nil, as a task's labels are a set and not null.
func cleanLabels(field string, labels []string) ([]string, error) {
	cleaned := make([]string, 0, len(labels))
	for i, label := range labels {
		path := field + "[" + strconv.Itoa(i) + "]"
		label = strings.TrimSpace(label)
		if label == "" {
			return nil, errs.Invalid(path, "string.min_len", "must not be blank")
		}
		if len([]rune(label)) > maxLabelLength {
			return nil, errs.Invalid(path, "string.max_len", "must be at most "+strconv.Itoa(maxLabelLength)+" characters")
		}
		cleaned = append(cleaned, label)
	}
	slices.Sort(cleaned)
	cleaned = slices.Compact(cleaned)
	if len(cleaned) > maxLabels {
		return nil, errs.Invalid(field, "repeated.max_items", "must be at most "+strconv.Itoa(maxLabels)+" labels")
	}
	return cleaned, nil
}
