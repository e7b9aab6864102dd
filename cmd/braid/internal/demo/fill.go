package demo

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// The filled organization: 200 tasks in two projects, with the one the walk made.
const tasksPerProject = 100

// history is how far a task goes: each step is a status on the way to done.
var history = []string{"in_progress", "in_review", "done"}

var (
	verbs   = []string{"Write", "Review", "Fix", "Plan", "Measure", "Translate", "Test", "Publish", "Simplify", "Draw"}
	objects = []string{"the landing page", "the price list", "the search", "the login form", "the newsletter", "the help page",
		"the sitemap", "the footer", "the team page", "the contact form"}
	priorities = []string{"LOW", "NORMAL", "NORMAL", "HIGH", "URGENT"}
	labels     = []string{"content", "design", "bug", "customer", "later"}
)

// fill makes the second project and the rest of the tasks, with assignees, moves and comments.
func (w *walk) fill(ctx context.Context, organization, webID string, ada, ben *person) error {
	w.title("Two projects are filled with 200 tasks and their history")
	operations, err := w.do(ctx, ada, http.MethodPost, organization+"/projects", map[string]any{"key": "OPS", "displayName": "Operations"}, http.StatusOK)
	if err != nil {
		return err
	}
	w.quiet = true
	defer func() { w.quiet = false }()
	started, requests := time.Now(), 0
	for _, project := range []struct {
		id    string
		first int
	}{{webID, 1}, {operations.text("id"), 0}} {
		for number := project.first; number < tasksPerProject; number++ {
			made, err := w.fillTask(ctx, organization, project.id, number, ada, ben)
			if err != nil {
				return err
			}
			requests += made
		}
	}
	w.say("     %d requests in %s", requests, time.Since(started).Round(10*time.Millisecond))
	return nil
}

// fillTask makes one task and what happened to it; everything follows from its number, so that two demos look alike.
func (w *walk) fillTask(ctx context.Context, organization, projectID string, number int, ada, ben *person) (requests int, err error) {
	body := map[string]any{
		"title":    fmt.Sprintf("%s %s", verbs[number%len(verbs)], objects[(number/len(verbs))%len(objects)]),
		"priority": priorities[number%len(priorities)],
		"labels":   []string{labels[number%len(labels)]},
		"dueTime":  time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1+number%30).Format(time.RFC3339),
	}
	worker := ada
	if number%2 == 0 {
		worker = ben
	}
	if number%3 != 0 {
		body["assigneeId"] = worker.id
	}
	task, err := w.do(ctx, ada, http.MethodPost, organization+"/projects/"+projectID+"/tasks", body, http.StatusOK)
	if err != nil {
		return 0, err
	}
	requests = 1
	path := organization + "/tasks/" + task.text("id")
	for _, status := range history[:number%(len(history)+1)] {
		if _, err := w.do(ctx, worker, http.MethodPost, path+":transition", map[string]any{"status": status}, http.StatusOK); err != nil {
			return requests, err
		}
		requests++
	}
	if number%5 == 0 {
		if _, err := w.do(ctx, worker, http.MethodPost, path+"/comments", map[string]any{"body": "Looks good, one question left."}, http.StatusOK); err != nil {
			return requests, err
		}
		requests++
	}
	return requests, nil
}
