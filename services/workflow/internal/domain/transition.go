package domain

import (
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/errs"
)

// Status is where a task stands.
type Status string

// The statuses. They are text, not a closed set: organizations may bring their own one day.
const (
	Todo       Status = "todo"
	InProgress Status = "in_progress"
	InReview   Status = "in_review"
	Done       Status = "done"
	Cancelled  Status = "cancelled"
)

// transitions is the whole of the rule: from a status to those that may follow.
var transitions = map[Status][]Status{
	Todo:       {InProgress, Cancelled},
	InProgress: {Todo, InReview, Cancelled},
	InReview:   {InProgress, Done, Cancelled},
	Done:       {InProgress},
	Cancelled:  {Todo},
}

// ParseStatus refuses what is no status.
func ParseStatus(text string) (Status, error) {
	status := Status(text)
	if _, known := transitions[status]; !known {
		return "", errs.Invalid("status", "string.in", "must be one of todo, in_progress, in_review, done, cancelled")
	}
	return status, nil
}

// Allowed returns the statuses that may follow.
func (s Status) Allowed() []Status { return slices.Clone(transitions[s]) }

// Open reports whether there is work left.
func (s Status) Open() bool { return s != Done && s != Cancelled }

// checkMove refuses a move that is not in the table, also the one to where the task already stands.
func (s Status) checkMove(to Status) error {
	if slices.Contains(transitions[s], to) {
		return nil
	}
	allowed := make([]string, 0, len(transitions[s]))
	for _, next := range transitions[s] {
		allowed = append(allowed, string(next))
	}
	return ErrTransitionNotAllowed.With("status", string(s)).With("allowed", strings.Join(allowed, ","))
}
