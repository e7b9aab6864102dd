package deletion

import (
	"context"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	platformv1 "github.com/braidhq/braid/gen/go/braid/platform/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/erasure"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/inbox"
	"github.com/braidhq/braid/platform/pg"
)

// Answer is what a service has said about a deletion.
type Answer struct {
	Service   string
	SubjectID id.ID
	AttemptID id.ID
	// State is what the service has come to; it is StepErasing for one that has failed to erase and goes on.
	State    StepState
	Reason   string
	Failures int
	Rows     int64
	Time     time.Time
}

// Handlers are what hears every service's answers, by event type.
func (s *Saga) Handlers() map[string]inbox.Handler {
	handlers := map[string]inbox.Handler{}
	for _, kind := range s.Kind.Answers() {
		handlers[bus.TypeOf(kind)] = s.hears(kind)
	}
	return handlers
}

func (s *Saga) hears(kind proto.Message) inbox.Handler {
	return inbox.Each(func(ctx context.Context, tx *pg.Tx, event bus.Event) error {
		told := kind.ProtoReflect().New().Interface()
		if err := event.Unmarshal(told); err != nil {
			return err
		}
		subjectID, attemptID, err := erasure.About(told)
		if err != nil {
			return err
		}
		answer := Answer{
			Service: strings.TrimPrefix(event.Source, bus.Source("")), SubjectID: subjectID, AttemptID: attemptID, Time: event.Time,
		}
		answer.read(told)
		return s.Hear(ctx, tx, answer)
	})
}

// read takes from an answer what its sort says.
func (a *Answer) read(told proto.Message) {
	switch told := told.(type) {
	case interface {
		GetRefused() bool
		GetReason() string
	}:
		a.State, a.Reason = StepPrepared, told.GetReason()
		if told.GetRefused() {
			a.State = StepRefused
		}
	case interface {
		GetTables() []*platformv1.ErasedTable
	}:
		a.State = StepErased
		for _, table := range told.GetTables() {
			a.Rows += table.GetRows()
		}
	case interface {
		GetFailures() int32
		GetReason() string
	}:
		a.State, a.Reason, a.Failures = StepErasing, told.GetReason(), int(told.GetFailures())
	}
}
