package domain

import (
	"crypto/sha256"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// TaskFact is something that happened to a task, as far as people are told of it.
type TaskFact struct {
	EventID        id.ID
	OrganizationID id.ID
	// ActorID is who did it; zero when no person did.
	ActorID    id.ID
	Kind       Kind
	ProjectID  id.ID
	TaskID     id.ID
	TaskKey    string
	TaskTitle  string
	TaskStatus string
	// Assignment is what happened when the kind is TaskAssigned.
	Assignment
	// Concerned are those it might be told to, in any order, doubles and zeros included.
	Concerned []id.ID
	Time      time.Time
}

// Recipients returns whom to tell: each one concerned once, in the order first named, and never the one who did it.
func (f TaskFact) Recipients() []id.ID {
	seen := map[id.ID]bool{{}: true, f.ActorID: true}
	var recipients []id.ID
	for _, userID := range f.Concerned {
		if !seen[userID] {
			seen[userID] = true
			recipients = append(recipients, userID)
		}
	}
	return recipients
}

// Title is the fact in one line for a person. It names nobody: titles are kept, and names belong to identity.
func (f TaskFact) Title(reader id.ID) string {
	switch f.Kind {
	case TaskAssigned:
		switch f.RoleOf(reader) {
		case Assignee:
			return f.TaskKey + " was assigned to you: " + f.TaskTitle
		case FormerAssignee:
			return f.TaskKey + " is no longer assigned to you: " + f.TaskTitle
		default:
			if f.AssigneeID.IsZero() {
				return f.TaskKey + " is no longer assigned: " + f.TaskTitle
			}
			return f.TaskKey + " has a new assignee: " + f.TaskTitle
		}
	case TaskCommented:
		return "New comment on " + f.TaskKey + ": " + f.TaskTitle
	case TaskStatusChanged:
		return f.TaskKey + " is now " + StatusName(f.TaskStatus) + ": " + f.TaskTitle
	default:
		return f.TaskKey + ": " + f.TaskTitle
	}
}

// statusNames are the workflow's statuses in words. A status that is not here is shown as it is.
var statusNames = map[string]string{
	"todo": "to do", "in_progress": "in progress", "in_review": "in review", "done": "done", "cancelled": "cancelled",
}

// StatusName returns a task's status in words.
func StatusName(status string) string {
	if name, known := statusNames[status]; known {
		return name
	}
	return status
}

// DeriveID returns the identifier of what one event causes for one recipient on one channel. The same three always
// give the same identifier, so that an event applied twice writes the same row, and a delivery that is tried again
// keeps its Message-ID. It is a UUIDv7 with the event's time: it sorts like the events do. The recipient is zero for
// mails to an address without a user.
func DeriveID(eventID, recipient id.ID, channel Channel) id.ID {
	hash := sha256.New()
	_, _ = hash.Write(eventID[:])
	_, _ = hash.Write(recipient[:])
	_, _ = hash.Write([]byte(channel))
	derived := eventID
	copy(derived[6:], hash.Sum(nil))
	derived[6] = derived[6]&0x0f | 0x70
	derived[8] = derived[8]&0x3f | 0x80
	return derived
}
