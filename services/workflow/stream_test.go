package workflow

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/workflow/internal/live"
	"github.com/braidhq/braid/testkit/rpctest"
)

func TestStreamEndsWithAccess(t *testing.T) {
	t.Parallel()
	for kind, refusal := range map[errs.Kind]error{
		errs.NotFound:         errs.New(errs.NotFound, "NOT_FOUND", "gone"),
		errs.PermissionDenied: errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "demoted"),
		errs.Unauthenticated:  errs.New(errs.Unauthenticated, "TOKEN_INVALID", "signed out"),
		errs.Unavailable:      errs.New(errs.Unavailable, "UNAVAILABLE", "nobody can tell"),
	} {
		t.Run(strconv.Itoa(int(kind)), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			project := f.watched()
			var mu sync.Mutex
			var answer error
			w := f.watch(project, "", func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				return answer
			}, nil).opened()
			mu.Lock()
			answer = refusal
			mu.Unlock()
			f.create(f.process, project.ProjectID, 3)
			if kind == errs.Unavailable {
				// The stream may ask for the first time at any moment from now: the clock goes on until it has had enough.
				defer f.keepAdvancing()()
			}
			w.endsWith(kind)
			_, revisions, _ := w.seen()
			require.Empty(t, revisions, "nothing is shown after the access has ended")
		})
	}
}

func TestStreamOutlivesAMomentWithoutAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	var mu sync.Mutex
	failing := 0
	w := f.watch(project, "", func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if failing > 0 {
			failing--
			return errs.New(errs.Unavailable, "UNAVAILABLE", "not now")
		}
		return nil
	}, nil).opened()
	mu.Lock()
	failing = 4
	mu.Unlock()
	f.create(f.process, project.ProjectID, 3)
	w.sees(1, 3)
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	userID := id.New()
	open := func(user id.ID) error {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		shown := make(chan struct{})
		go func() {
			ended <- f.hub.Watch(ctx, live.Request{Project: project, UserID: user, Check: func(context.Context) error { return nil }},
				func(response *workflowv1.WatchProjectResponse) error {
					if response.GetSnapshot() != nil {
						close(shown)
					}
					return nil
				})
		}()
		t.Cleanup(func() { cancel(); <-ended })
		select {
		case <-shown:
			return nil
		case err := <-ended:
			ended <- err
			return err
		}
	}
	for range quick.MaxUserStreams {
		require.NoError(t, open(userID))
	}
	require.Equal(t, "RATE_LIMITED", errs.From(open(userID)).Reason)
	for range quick.MaxStreams - quick.MaxUserStreams {
		require.NoError(t, open(id.New()))
	}
	require.Equal(t, "OVERLOADED", errs.From(open(id.New())).Reason)
}

func TestStreamsEndWhenTheProcessStops(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	w := f.watch(project, "", nil, nil).opened()
	f.hub.Stop()
	w.endsWith(errs.Unavailable)
	require.Equal(t, errs.Unavailable, errs.KindOf(f.hub.Watch(t.Context(), live.Request{Project: project}, nil)))
}

func TestWatchOverServerSentEvents(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	path := f.path("/projects/" + project.ProjectID.String() + ":watch")
	f.create(f.process, project.ProjectID, 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	response := f.Do(ctx, http.MethodGet, path, f.viewerToken, nil, rpctest.Header("Last-Event-ID", "1"))
	defer func() { _ = response.Body.Close() }()
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	next := func(prefix string) string {
		for lines.Scan() {
			if text, found := strings.CutPrefix(lines.Text(), prefix); found {
				return text
			}
		}
		require.NoError(t, lines.Err())
		require.Fail(t, "the stream has ended", prefix)
		return ""
	}
	require.Equal(t, "change", next("event: "))
	require.Equal(t, "2", next("id: "))
	require.Contains(t, next("data: "), `"type":"task.created"`)
	require.Equal(t, "heartbeat", next(": "))
	f.create(f.process, project.ProjectID, 1)
	require.Equal(t, "3", next("id: "))
	f.Roles.Remove(f.organizationID, f.viewerID)
	require.Equal(t, "error", next("event: "))
	require.Contains(t, next("data: "), "NOT_FOUND")
}

func TestWatchEndsWithTheSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	project := f.watched()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	response := f.Do(ctx, http.MethodGet, f.path("/projects/"+project.ProjectID.String()+":watch"), f.viewerToken, nil)
	defer func() { _ = response.Body.Close() }()
	f.Tokens.Revoke(f.viewerToken)
	lines := bufio.NewScanner(response.Body)
	var text string
	for lines.Scan() {
		text += lines.Text() + "\n"
	}
	require.NoError(t, errors.Join(lines.Err(), ctx.Err()))
	require.Contains(t, text, "event: snapshot\nid: 0\n")
	require.Contains(t, text, "TOKEN_INVALID")
}
