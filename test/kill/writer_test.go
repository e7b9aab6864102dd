package kill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
)

// The events that operations cause.
const (
	taskCreated       = "workflow.task.created"
	taskAssigned      = "workflow.task.assigned"
	taskStatusChanged = "workflow.task.status_changed"
	taskCommented     = "workflow.task.commented"
)

// moves are the statuses that may follow, as the contract's readers know them.
var moves = map[string][]string{
	"todo": {"in_progress", "cancelled"}, "in_progress": {"todo", "in_review", "cancelled"},
	"in_review": {"in_progress", "done", "cancelled"}, "done": {"in_progress"}, "cancelled": {"todo"},
}

const (
	// attemptTimeout is when a request counts as hanging, which nothing may.
	attemptTimeout = 20 * time.Second
	// clearTimeout is how long an operation may take to be answered clearly, outages included.
	clearTimeout = 2 * time.Minute
	retryPause   = 25 * time.Millisecond
	thinking     = 40 * time.Millisecond
)

// writer is one person at work, one thing at a time.
type writer struct {
	name     string
	speaker  *client.Client
	person   *client.Person
	tenant   *tenant
	ledger   *ledger
	random   *rand.Rand
	thinking time.Duration
	padding  int
	// tasks are those that only this writer changes, as they were last acknowledged.
	tasks   []*workflowv1.Task
	written int
}

// work writes until ctx ends. The write that is under way then is still brought to a clear answer, while lasting lasts.
func (w *writer) work(ctx, lasting context.Context) error {
	for ctx.Err() == nil {
		if err := w.write(lasting); err != nil {
			return err
		}
		_ = clock.Sleep(ctx, time.Duration(w.random.Int64N(int64(2*w.thinking))))
	}
	return nil
}

func (w *writer) write(ctx context.Context) error {
	choice := w.random.IntN(10)
	commented := w.ledger.someTask(w.tenant.id, w.random.IntN)
	switch {
	case commented != "" && choice < 3:
		return w.comment(ctx, commented)
	case len(w.tasks) > 0 && choice < 5:
		return w.assign(ctx, w.random.IntN(len(w.tasks)))
	case len(w.tasks) > 0 && choice < 7:
		return w.transition(ctx, w.random.IntN(len(w.tasks)))
	default:
		return w.create(ctx, w.colleague(""))
	}
}

// colleague is anybody of the organization or nobody, but not the one given.
func (w *writer) colleague(not string) string {
	choices := []string{""}
	for _, person := range w.tenant.people {
		choices = append(choices, person.ID)
	}
	choices = slices.DeleteFunc(choices, func(id string) bool { return id == not && not != "" })
	return choices[w.random.IntN(len(choices))]
}

func (w *writer) create(ctx context.Context, assigneeID string) error {
	project := w.tenant.projects[w.random.IntN(len(w.tenant.projects))]
	body := map[string]any{
		"title": fmt.Sprintf("%s writes %d", w.name, w.written), "description": "What is acknowledged stays. " + w.noise(),
		"labels": []string{w.name}, "assigneeId": assigneeID,
	}
	done := &operation{event: taskCreated, tenant: w.tenant, task: &workflowv1.Task{}}
	if err := w.perform(ctx, done, w.tenant.path+"/projects/"+project+"/tasks", body); err != nil {
		return err
	}
	w.tasks = append(w.tasks, done.task)
	return nil
}

// noise is text that no compression makes smaller.
func (w *writer) noise() string {
	noise := make([]byte, w.padding)
	for i := range noise {
		noise[i] = 'a' + byte(w.random.IntN(26))
	}
	return string(noise)
}

func (w *writer) assign(ctx context.Context, i int) error {
	assigneeID := w.colleague(w.tasks[i].GetAssigneeId())
	if assigneeID == w.tasks[i].GetAssigneeId() {
		return nil // Nobody to nobody is no change and makes no event.
	}
	return w.change(ctx, i, taskAssigned, ":assign", map[string]any{"assigneeId": assigneeID})
}

func (w *writer) transition(ctx context.Context, i int) error {
	next := moves[w.tasks[i].GetStatus()]
	return w.change(ctx, i, taskStatusChanged, ":transition", map[string]any{"status": next[w.random.IntN(len(next))]})
}

// change sends the etag along: a task has one writer, so it must always be the present one, also when the answer to the
// write before was lost.
func (w *writer) change(ctx context.Context, i int, event, verb string, body map[string]any) error {
	body["etag"] = w.tasks[i].GetEtag()
	done := &operation{event: event, tenant: w.tenant, task: &workflowv1.Task{}}
	if err := w.perform(ctx, done, w.tenant.path+"/tasks/"+w.tasks[i].GetId()+verb, body); err != nil {
		return err
	}
	w.tasks[i] = done.task
	return nil
}

func (w *writer) comment(ctx context.Context, taskID string) error {
	done := &operation{event: taskCommented, tenant: w.tenant, comment: &workflowv1.Comment{}}
	return w.perform(ctx, done, w.tenant.path+"/tasks/"+taskID+"/comments",
		map[string]any{"body": fmt.Sprintf("%s says %d", w.name, w.written)})
}

// perform posts until the answer is clear, under one key, and enters what was acknowledged into the ledger.
func (w *writer) perform(ctx context.Context, done *operation, path string, body any) error {
	w.written++
	done.correlationID = fmt.Sprintf("kill-%s-%d", w.name, w.written)
	ctx, cancel := context.WithTimeout(ctx, clearTimeout)
	defer cancel()
	unclear := false
	for {
		answer, err := w.attempt(ctx, done.correlationID, path, body)
		switch {
		case err == nil && answer.Status == http.StatusOK:
			if answer.Header.Get("Idempotency-Replayed") == "true" {
				// Also at our first attempt: a gateway whose connection to a killed process breaks repeats what has a key.
				w.ledger.count(&w.ledger.replayed)
			}
			if err := protojson.Unmarshal(answer.Raw, done.resource()); err != nil {
				return fmt.Errorf("read the answer to %s: %w", done.correlationID, err)
			}
			w.ledger.acknowledge(done)
			return nil
		case err == nil && answer.Status == http.StatusUnauthorized:
			w.ledger.count(&w.ledger.logins)
			_ = w.speaker.Login(ctx, w.person) // The next attempt says whether it has helped.
		case err == nil && !isUnclear(answer):
			return fmt.Errorf("%s: POST %s answered %d: %s", done.correlationID, path, answer.Status, answer.Raw)
		case !unclear:
			unclear = true
			w.ledger.count(&w.ledger.unclear)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s has no clear answer after %s; the last was %s %d %s", done.correlationID, clearTimeout, fmt.Sprint(err), answer.Status, answer.Raw)
		}
		_ = clock.Sleep(ctx, retryPause)
	}
}

// isUnclear says whether an answer leaves open what has happened. Those that may come are 429 and 503.
func isUnclear(answer client.Answer) bool {
	return answer.Status == http.StatusTooManyRequests || answer.Status >= 500
}

// attempt sends once, and looks for what must never be answered: nothing in time, a fault of ours, or an overload that
// does not say when to come back.
func (w *writer) attempt(ctx context.Context, key, path string, body any) (client.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	w.ledger.count(&w.ledger.attempts)
	answer, err := w.speaker.Do(ctx, w.person, http.MethodPost, path, body,
		client.WithHeader("Idempotency-Key", key), client.WithHeader("X-Correlation-Id", key))
	switch {
	case err != nil && ctx.Err() != nil:
		w.ledger.violate("%s: POST %s hangs: %v", key, path, err)
	case err == nil && isUnclear(answer) && answer.Status != http.StatusTooManyRequests && answer.Status != http.StatusServiceUnavailable:
		w.ledger.violate("%s: POST %s answered %d: %s", key, path, answer.Status, answer.Raw)
	case err == nil && isUnclear(answer) && answer.Header.Get("Retry-After") == "":
		w.ledger.violate("%s: POST %s answered %d without Retry-After: %s", key, path, answer.Status, answer.Raw)
	}
	return answer, err
}
