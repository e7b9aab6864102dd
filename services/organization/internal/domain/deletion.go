package domain

import (
	"slices"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// OrganizationState says what can be done with an organization.
type OrganizationState string

// The states of an organization.
const (
	Active          OrganizationState = "active"
	Suspended       OrganizationState = "suspended"
	DeletionPending OrganizationState = "deletion_pending"
	Deleting        OrganizationState = "deleting"
)

// Frozen returns why the organization can't be changed, or nil.
func (s OrganizationState) Frozen() *errs.Error {
	switch s {
	case Suspended:
		return ErrSuspended
	case DeletionPending, Deleting:
		return ErrDeletionPending
	default:
		return nil
	}
}

// DeletionState says how far a deletion is.
type DeletionState string

// The states of a deletion; the last three are ends.
const (
	AwaitingStart     DeletionState = "pending"
	Preparing         DeletionState = "preparing"
	Erasing           DeletionState = "erasing"
	Deleted           DeletionState = "deleted"
	DeletionCancelled DeletionState = "cancelled"
	DeletionFailed    DeletionState = "failed"
)

// StepState says how far a service is.
type StepState string

// The states of a step. A service that was asked to prepare has prepared or refuses; one that was told to erase has erased.
const (
	StepPreparing StepState = "preparing"
	StepPrepared  StepState = "prepared"
	StepRefused   StepState = "refused"
	StepErasing   StepState = "erasing"
	StepErased    StepState = "erased"
)

// Deletion is one try to delete an organization.
type Deletion struct {
	OrganizationID id.ID
	AttemptID      id.ID
	State          DeletionState
	RequesterID    id.ID
	// ReaderIDs are the owners when it was asked for.
	ReaderIDs []id.ID
	// PreviousState is the organization's, if it stays.
	PreviousState OrganizationState
	RequestedAt   time.Time
	// StartedAt is when it begins; it may be cancelled before.
	StartedAt time.Time
	// ErasingAt and EndedAt are nil until then.
	ErasingAt     *time.Time
	EndedAt       *time.Time
	FailureReason string
	Steps         []DeletionStep
}

// DeletionStep is one service's part.
type DeletionStep struct {
	Service    string
	State      StepState
	Attempts   int
	AskedAt    time.Time
	AnsweredAt *time.Time
	Failures   int
	LastError  string
	ErasedRows int64
}

const (
	askAgainFirst = time.Minute
	askAgainLast  = time.Hour
)

// due reports whether a service that has not answered is to be asked again: an event may have outlived its topic's
// retention, or the service may have come later.
func (s DeletionStep) due(now time.Time) bool {
	wait := askAgainFirst << min(s.Attempts-1, 10)
	return s.AnsweredAt == nil && !s.AskedAt.Add(min(wait, askAgainLast)).After(now)
}

// Move is what is to be done about a deletion.
type Move struct {
	// State is the one to be in.
	State DeletionState
	// Ask are the services to be asked for what State takes.
	Ask []string
	// Refused is the step that made it fail.
	Refused *DeletionStep
}

// Next says what to do about a deletion whose grace is over, with the services that there are now: a service that was
// never asked is asked, and nothing goes on without its answer.
func (d Deletion) Next(services []string, now time.Time) Move {
	switch d.State {
	case AwaitingStart:
		return Move{State: Preparing, Ask: services}
	case Preparing:
		for _, step := range d.Steps {
			if step.State == StepRefused {
				return Move{State: DeletionFailed, Refused: &step}
			}
		}
		if d.all(services, StepPrepared) {
			return Move{State: Erasing, Ask: services}
		}
	case Erasing:
		if d.all(services, StepErased) {
			return Move{State: Deleted}
		}
	}
	return Move{State: d.State, Ask: d.unanswered(services, now)}
}

func (d Deletion) step(service string) *DeletionStep {
	at := slices.IndexFunc(d.Steps, func(step DeletionStep) bool { return step.Service == service })
	if at < 0 {
		return nil
	}
	return &d.Steps[at]
}

func (d Deletion) all(services []string, state StepState) bool {
	return !slices.ContainsFunc(services, func(service string) bool {
		step := d.step(service)
		return step == nil || step.State != state
	}) && !slices.ContainsFunc(d.Steps, func(step DeletionStep) bool { return step.State != state })
}

func (d Deletion) unanswered(services []string, now time.Time) (due []string) {
	for _, service := range services {
		if step := d.step(service); step == nil || step.due(now) {
			due = append(due, service)
		}
	}
	return due
}

// ErasedRows is how many rows all services have erased.
func (d Deletion) ErasedRows() (rows int64) {
	for _, step := range d.Steps {
		rows += step.ErasedRows
	}
	return rows
}

// Awaits reports whether an answer with the given state belongs to what a service was asked last.
func (d Deletion) Awaits(attemptID id.ID, service string, answer StepState) bool {
	step := d.step(service)
	if step == nil || d.AttemptID != attemptID {
		return false
	}
	switch answer {
	case StepPrepared, StepRefused:
		return d.State == Preparing && step.State == StepPreparing
	case StepErasing, StepErased:
		return d.State == Erasing && step.State == StepErasing
	default:
		return false
	}
}
