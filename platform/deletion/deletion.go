// Package deletion is the saga by which an organization or a person is deleted in all services (ADR 0012): its states,
// what follows when, and the answers of the services. What it means for the subject, the service says that owns it
// (Config.Enter); what every service does is platform/erasure.
//
// It keeps its state in the tables deletion and deletion_step of the owner's database, whose further columns it leaves
// alone.
package deletion

import (
	"slices"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// State says how far a deletion is.
type State string

// The states of a deletion; the last three are ends.
const (
	AwaitingStart State = "pending"
	Preparing     State = "preparing"
	Erasing       State = "erasing"
	Deleted       State = "deleted"
	Cancelled     State = "cancelled"
	Failed        State = "failed"
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

// Deletion is one try to delete an organization or a person.
type Deletion struct {
	// SubjectID is the organization's or the person's.
	SubjectID   id.ID
	AttemptID   id.ID
	State       State
	RequestedAt time.Time
	// StartedAt is when it begins; it may be cancelled before.
	StartedAt time.Time
	// ErasingAt and EndedAt are nil until then.
	ErasingAt     *time.Time
	EndedAt       *time.Time
	FailureReason string
	Steps         []Step
}

// Step is one service's part.
type Step struct {
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
func (s Step) due(now time.Time) bool {
	wait := askAgainFirst << min(s.Attempts-1, 10)
	return s.AnsweredAt == nil && !s.AskedAt.Add(min(wait, askAgainLast)).After(now)
}

// Move is what is to be done about a deletion.
type Move struct {
	// State is the one to be in, and Enters whether it is another than before.
	State  State
	Enters bool
	// Ask are the services to be asked for what State takes.
	Ask []string
	// Refused is the step that made it fail.
	Refused *Step
}

// Next says what to do about a deletion whose grace is over, with the services that there are now: a service that was
// never asked is asked, and nothing goes on without its answer.
func (d Deletion) Next(services []string, now time.Time) Move {
	switch d.State {
	case AwaitingStart:
		return Move{State: Preparing, Enters: true, Ask: services}
	case Preparing:
		for _, step := range d.Steps {
			if step.State == StepRefused {
				return Move{State: Failed, Enters: true, Refused: &step}
			}
		}
		if d.all(services, StepPrepared) {
			return Move{State: Erasing, Enters: true, Ask: services}
		}
	case Erasing:
		if d.all(services, StepErased) {
			return Move{State: Deleted, Enters: true}
		}
	}
	return Move{State: d.State, Ask: d.unanswered(services, now)}
}

func (d Deletion) step(service string) *Step {
	at := slices.IndexFunc(d.Steps, func(step Step) bool { return step.Service == service })
	if at < 0 {
		return nil
	}
	return &d.Steps[at]
}

func (d Deletion) all(services []string, state StepState) bool {
	return !slices.ContainsFunc(services, func(service string) bool {
		step := d.step(service)
		return step == nil || step.State != state
	}) && !slices.ContainsFunc(d.Steps, func(step Step) bool { return step.State != state })
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
