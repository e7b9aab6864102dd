package kill_test

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
)

// operation is one write. It is tried under one idempotency key and one correlation id until its answer is clear.
type operation struct {
	// correlationID names it here, in its event and in the audit trail.
	correlationID string
	// event is the type of the one event it causes.
	event  string
	tenant *tenant
	// task and comment are what was acknowledged; one of them is set.
	task    *workflowv1.Task
	comment *workflowv1.Comment
}

// resource is what was acknowledged.
func (o *operation) resource() proto.Message {
	if o.comment != nil {
		return o.comment
	}
	return o.task
}

// ledger is what clients were told, and the counts of the run. It is shared by all writers.
type ledger struct {
	mu sync.Mutex
	// acknowledged are the operations in the order of their answers; those on one task are in the order they were done,
	// because each task has one writer.
	acknowledged []*operation
	// tasks are the acknowledged tasks of each organization, for those who comment.
	tasks map[string][]string
	// violations are answers that must never be given.
	violations []string

	attempts, unclear, replayed, logins int
}

func newLedger() *ledger { return &ledger{tasks: map[string][]string{}} }

func (l *ledger) acknowledge(done *operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, done)
	if done.event == taskCreated {
		l.tasks[done.tenant.id] = append(l.tasks[done.tenant.id], done.task.GetId())
	}
}

// size is how many writes were acknowledged.
func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acknowledged)
}

// someTask returns a task of the organization, any of the newest so that work meets, or "" while there is none.
func (l *ledger) someTask(organizationID string, choose func(int) int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	tasks := l.tasks[organizationID]
	if len(tasks) == 0 {
		return ""
	}
	newest := tasks[max(0, len(tasks)-20):]
	return newest[choose(len(newest))]
}

func (l *ledger) count(counter *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*counter++
}

func (l *ledger) violate(format string, arguments ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violations = append(l.violations, fmt.Sprintf(format, arguments...))
}
