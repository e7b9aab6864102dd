package kill_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

const (
	// accessEndsWithin is how late a request of somebody who may no longer be answered can still begin and be answered. A
	// second is promised; the rest is for nine processes on two cores. Who believes a cache of ten minutes is far beyond.
	accessEndsWithin = 3 * time.Second
	askPause         = 20 * time.Millisecond
)

// door is a process of the split form with a path that it answers to a member by itself.
type door struct {
	part, path string
	// tenant says that the path is an organization's.
	tenant  bool
	speaker *client.Client
}

func doors(running *deployment.Deployment, organization string) []*door {
	all := []*door{
		{part: "identity", path: "/api/v1/me"},
		{part: "organization", path: organization, tenant: true},
		{part: "workflow-1", path: organization + "/projects", tenant: true},
		{part: "workflow-2", path: organization + "/projects", tenant: true},
		{part: "notification", path: "/api/v1/me/notifications"},
		{part: "audit", path: organization + "/audit-events", tenant: true},
		{part: "gateway", path: organization + "/projects", tenant: true},
	}
	for _, door := range all {
		door.speaker = client.New(running.PartURL(door.part), running.AdminURL)
	}
	return all
}

// await asks until the answer is the one that is wanted. An answer of 200 that is not wanted may be given to requests that
// begin before the time that is given, and to none after; that a process is not up yet is waited for.
func (d *door) await(ctx context.Context, who *client.Person, wanted int, until time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, client.EffectTimeout)
	defer cancel()
	for {
		began := time.Now()
		answer, err := d.speaker.Do(ctx, who, http.MethodGet, d.path, nil)
		switch {
		case err == nil && answer.Status == wanted:
			return nil
		case err == nil && answer.Status == http.StatusOK && began.After(until):
			return fmt.Errorf("%s still answers %s, %s too late", d.part, who.Name, began.Sub(until))
		case err == nil && answer.Status != http.StatusOK && answer.Status != http.StatusServiceUnavailable:
			return fmt.Errorf("%s answers %s with %d: %s", d.part, who.Name, answer.Status, answer.Raw)
		}
		if clock.Sleep(ctx, askPause) != nil {
			return fmt.Errorf("%s does not answer %s with %d: %d, %w", d.part, who.Name, wanted, answer.Status, err)
		}
	}
}

// leavers are a colleague who stays, one who was removed, and one whose session has ended.
type leavers struct{ stays, removed, signedOut *client.Person }

// awaitEnds asks each of the doors on behalf of all three, at the same time.
func (l leavers) awaitEnds(t *testing.T, at []*door, until time.Time) {
	t.Helper()
	asking, ctx := errgroup.WithContext(t.Context())
	for _, door := range at {
		asking.Go(func() error { return door.await(ctx, l.signedOut, http.StatusUnauthorized, until) })
		if door.tenant {
			asking.Go(func() error { return door.await(ctx, l.removed, http.StatusNotFound, until) })
		}
	}
	require.NoError(t, asking.Wait())
	l.awaitAnswers(t, at, l.stays)
}

func (l leavers) awaitAnswers(t *testing.T, at []*door, people ...*client.Person) {
	t.Helper()
	for _, door := range at {
		for _, who := range people {
			require.NoError(t, door.await(t.Context(), who, http.StatusOK, time.Now()))
		}
	}
}

// TestAccessEndsWithoutBroker ends a membership and a session while no process can hear of it. Each has answered both from
// its caches and must refuse them within the second that is promised, because it has not heard from the owners for so long;
// so must a process that was started again, be the broker away or back. Who stays is answered all the while.
func TestAccessEndsWithoutBroker(t *testing.T) {
	requireAsked(t)
	running, err := deployment.StartSplit(t.Context(), deployment.Options{Directory: makeDirectory(t), Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	speaker := client.New(running.URL, running.AdminURL)
	l, organization, task := makeLeavers(t, speaker)
	all := doors(running, organization)
	l.awaitAnswers(t, all, l.stays, l.removed, l.signedOut)

	broker := running.PID("broker")
	require.Positive(t, broker)
	require.NoError(t, syscall.Kill(broker, syscall.SIGSTOP))
	t.Cleanup(func() { _ = syscall.Kill(broker, syscall.SIGCONT) })
	_, err = speaker.Must(t.Context(), l.stays, http.MethodDelete, organization+"/members/"+l.removed.ID, nil)
	require.NoError(t, err)
	_, err = speaker.Must(t.Context(), l.signedOut, http.MethodPost, "/api/v1/auth/logout", map[string]any{})
	require.NoError(t, err)
	ended := time.Now()
	l.awaitEnds(t, all, ended.Add(accessEndsWithin))

	l.awaitEndsAfterRestart(t, running, all, "workflow-1", ended)
	require.NoError(t, syscall.Kill(broker, syscall.SIGCONT))
	l.awaitEndsAfterRestart(t, running, all, "workflow-2", ended)
	l.awaitEnds(t, all, ended)
	l.awaitNews(t, speaker, task)
}

// awaitNews waits until workflow has heard of the removal, which waited for the broker. Before its processes get anything
// the broker waits for those that were killed, 15 seconds for each.
func (l leavers) awaitNews(t *testing.T, speaker *client.Client, task string) {
	t.Helper()
	var problem error
	for range 3 {
		problem = client.Await(t.Context(), func() error {
			answer, err := speaker.Must(t.Context(), l.stays, http.MethodGet, task, nil)
			if assignee := answer.Text("assigneeId"); err == nil && assignee != "" {
				return fmt.Errorf("the task is still that of %s", assignee)
			}
			return err
		})
		if problem == nil {
			return
		}
	}
	require.NoError(t, problem)
}

// awaitEndsAfterRestart kills a process and asks it while it comes up again: without the broker it is never ready, and yet
// has a door.
func (l leavers) awaitEndsAfterRestart(t *testing.T, running *deployment.Deployment, all []*door, part string, until time.Time) {
	t.Helper()
	require.NoError(t, running.Kill(part))
	early, cancel := context.WithTimeout(t.Context(), askPause)
	defer cancel()
	_ = running.Start(early, part)
	l.awaitEnds(t, slices.DeleteFunc(slices.Clone(all), func(d *door) bool { return d.part != part }), until)
}

// makeLeavers makes an organization of three people who may read everything in it, and a task of the one to be removed.
func makeLeavers(t *testing.T, speaker *client.Client) (l leavers, organization, task string) {
	t.Helper()
	var people []*client.Person
	for _, name := range []string{"Ada", "Ben", "Cleo"} {
		person, err := speaker.SignUp(t.Context(), name)
		require.NoError(t, err)
		people = append(people, person)
	}
	organization, err := speaker.CreateOrganization(t.Context(), people[0], "Leavers")
	require.NoError(t, err)
	for _, person := range people[1:] {
		require.NoError(t, speaker.Join(t.Context(), organization, people[0], person, "admin"))
	}
	project, err := speaker.Must(t.Context(), people[0], http.MethodPost, organization+"/projects", map[string]any{"key": "LEFT", "displayName": "Left"})
	require.NoError(t, err)
	made, err := speaker.Must(t.Context(), people[0], http.MethodPost, organization+"/projects/"+project.Text("id")+"/tasks",
		map[string]any{"title": "Whose?", "assigneeId": people[1].ID})
	require.NoError(t, err)
	return leavers{stays: people[0], removed: people[1], signedOut: people[2]}, organization, organization + "/tasks/" + made.Text("id")
}
