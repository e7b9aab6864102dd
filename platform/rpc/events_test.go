package rpc_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/testkit/rpctest"
)

type sendFunc = func(*workflowv1.WatchProjectResponse) error

func snapshot(revision int64) *workflowv1.WatchProjectResponse {
	return &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Snapshot{Snapshot: &workflowv1.ProjectSnapshot{Revision: revision}}}
}

func change(revision int64, title string) *workflowv1.WatchProjectResponse {
	return &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Change{Change: &workflowv1.ProjectChange{
		Revision: revision, Type: "task.created", Task: &workflowv1.Task{Title: title},
	}}}
}

func heartbeat() *workflowv1.WatchProjectResponse {
	return &workflowv1.WatchProjectResponse{Event: &workflowv1.WatchProjectResponse_Heartbeat{Heartbeat: &workflowv1.Heartbeat{}}}
}

func (b *bundle) watchPath() string { return b.path("/projects/" + id.New().String() + ":watch") }

func TestStreamIsServerSentEvents(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	var request *workflowv1.WatchProjectRequest
	b.projects.watch = func(_ context.Context, asked *workflowv1.WatchProjectRequest, send sendFunc) error {
		request = asked
		for _, response := range []*workflowv1.WatchProjectResponse{snapshot(7), heartbeat(), change(8, "two\nlines")} {
			if err := send(response); err != nil {
				return err
			}
		}
		return nil
	}
	response := b.Do(t.Context(), "GET", b.watchPath(), b.token, nil, rpctest.Header("Last-Event-ID", "6"))
	defer func() { require.NoError(t, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	require.Equal(t, "6", request.GetLastEventId())
	require.Equal(t, b.organization.String(), request.GetOrganizationId())

	frames := strings.Split(strings.TrimSuffix(string(body), "\n\n"), "\n\n")
	require.Len(t, frames, 3, string(body))
	require.True(t, strings.HasPrefix(frames[0], "event: snapshot\nid: 7\ndata: {"), frames[0])
	require.Equal(t, ": heartbeat", frames[1])
	require.True(t, strings.HasPrefix(frames[2], "event: change\nid: 8\ndata: {"), frames[2])
	require.Len(t, strings.Split(frames[2], "\n"), 3, "the data is one line")
	require.Contains(t, frames[2], `two\nlines`)
	require.Contains(t, frames[2], `task.created`)
}

func TestStreamErrorBeforeTheFirstEventIsAPlainOne(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.projects.watch = func(context.Context, *workflowv1.WatchProjectRequest, sendFunc) error {
		return errs.New(errs.NotFound, "NOT_FOUND", "x")
	}
	requireOne(t, b.REST("GET", b.watchPath(), b.token, nil), 404, "NOT_FOUND")
	requireOne(t, b.REST("GET", b.watchPath(), "", nil), 401, "TOKEN_MISSING")
	outsider, _ := b.SignIn(b.organization, "")
	requireOne(t, b.REST("GET", b.watchPath(), outsider, nil), 404, "NOT_FOUND")
	requireOne(t, b.REST("GET", b.path("/projects/x:watch"), b.token, nil), 400, "INVALID_ARGUMENT")
	requireOne(t, b.REST("GET", b.watchPath()+"?nothing=1", b.token, nil), 400, "INVALID_ARGUMENT")
	answer := b.REST("GET", b.watchPath(), b.token, nil, rpctest.Header("Last-Event-ID", "\xff"))
	requireOne(t, answer, 400, "INVALID_ARGUMENT")
	require.Equal(t, []string{"lastEventId"}, answer.Fields())
	requireOne(t, b.REST("POST", b.watchPath(), b.token, `{}`), 405, "METHOD_NOT_ALLOWED")
}

func TestStreamErrorAfterTheFirstEventIsAnEvent(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.projects.watch = func(_ context.Context, _ *workflowv1.WatchProjectRequest, send sendFunc) error {
		if err := send(snapshot(1)); err != nil {
			return err
		}
		return errs.New(errs.NotFound, "NOT_FOUND", "secret")
	}
	answer := b.REST("GET", b.watchPath(), b.token, nil)
	require.Equal(t, 200, answer.Status)
	require.True(t, strings.HasSuffix(answer.Text, "event: error\ndata: {\"status\":\"NOT_FOUND\",\"reason\":\"NOT_FOUND\"}\n\n"), answer.Text)
}

func TestStreamWithoutEventsIsStillAStream(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.projects.watch = func(context.Context, *workflowv1.WatchProjectRequest, sendFunc) error { return nil }
	answer := b.REST("GET", b.watchPath(), b.token, nil)
	require.Equal(t, 200, answer.Status)
	require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
}

// A client that goes away ends the handler through its context; the same goes for a process that drains.
func TestStreamEndsWithItsClientAndWithTheProcess(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	ended := make(chan error, 1)
	b.projects.watch = func(ctx context.Context, _ *workflowv1.WatchProjectRequest, send sendFunc) error {
		if err := send(snapshot(1)); err != nil {
			return err
		}
		if _, limited := ctx.Deadline(); limited {
			t.Error("a stream has no deadline")
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	response := b.Do(ctx, "GET", b.watchPath(), b.token, nil)
	_, err := bufio.NewReader(response.Body).ReadString('\n')
	require.NoError(t, err)
	cancel()
	require.NoError(t, response.Body.Close())
	requireSoon(t, ended)

	response = b.Do(t.Context(), "GET", b.watchPath(), b.token, nil)
	defer func() { require.NoError(t, response.Body.Close()) }()
	reader := bufio.NewReader(response.Body)
	_, err = reader.ReadString('\n')
	require.NoError(t, err)
	b.EndStreams()
	requireSoon(t, ended)
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.Contains(t, string(rest), "event: error")
}

func requireSoon[T any](t *testing.T, channel <-chan T) T {
	t.Helper()
	select {
	case value := <-channel:
		return value
	case <-time.After(10 * time.Second):
		require.Fail(t, "nothing happened")
		panic("unreachable")
	}
}

func TestStreamOverConnectAndGRPC(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.projects.watch = func(_ context.Context, _ *workflowv1.WatchProjectRequest, send sendFunc) error {
		if err := send(snapshot(7)); err != nil {
			return err
		}
		return errs.New(errs.NotFound, "NOT_FOUND", "x")
	}
	for _, options := range [][]connect.ClientOption{nil, {connect.WithProtoJSON()}, {connect.WithGRPC()}, {connect.WithGRPCWeb()}} {
		client := workflowv1connect.NewProjectServiceClient(signed{b.overHTTP2(t), b.token}, b.URL, options...)
		stream, err := client.WatchProject(t.Context(), &workflowv1.WatchProjectRequest{OrganizationId: b.organization.String(), ProjectId: id.New().String()})
		require.NoError(t, err)
		require.True(t, stream.Receive())
		require.Equal(t, int64(7), stream.Msg().GetSnapshot().GetRevision())
		require.False(t, stream.Receive())
		requireConnect(t, stream.Err(), "not_found", "NOT_FOUND")
		require.NoError(t, stream.Close())
	}
}

// The deadline of a stream's writes is the connection's: the next request on it must not inherit it.
func TestStreamLeavesNoDeadlineBehind(t *testing.T) {
	t.Parallel()
	recorder := &deadlines{ResponseWriter: discard{}}
	b := newBundle(t)
	b.projects.watch = func(_ context.Context, _ *workflowv1.WatchProjectRequest, send sendFunc) error {
		return send(snapshot(1))
	}
	request, err := http.NewRequestWithContext(t.Context(), "GET", b.watchPath(), nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+b.token)
	b.ServeHTTP(recorder, request)
	require.Len(t, recorder.set, 2)
	require.False(t, recorder.set[0].IsZero())
	require.True(t, recorder.set[1].IsZero())
}

type discard struct{}

func (discard) Header() http.Header            { return http.Header{} }
func (discard) Write(data []byte) (int, error) { return len(data), nil }
func (discard) WriteHeader(int)                {}

type deadlines struct {
	http.ResponseWriter
	set []time.Time
}

func (d *deadlines) SetWriteDeadline(deadline time.Time) error {
	d.set = append(d.set, deadline)
	return nil
}

func (d *deadlines) FlushError() error { return nil }
