package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/gen/go/braid/workflow/v1/workflowv1connect"
	"github.com/braidhq/braid/testkit/rpctest"
)

const (
	writeTimeout = 300 * time.Millisecond
	largeAnswer  = 4 << 20
)

// newLargeDoor has few places, and a service with large answers.
func newLargeDoor(t *testing.T, size int) (*door, string) {
	t.Helper()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.WriteTimeout, e.Config.RequestsLimit = writeTimeout, 2 })
	d.recorders["identity"].answer = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, size))
	}
	token, _ := d.signIn()
	return d, token
}

// dialNarrow opens a connection whose client takes little at a time, and asks.
func dialNarrow(t *testing.T, d *door, token string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlErr := raw.Control(func(descriptor uintptr) {
			err = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		if controlErr != nil {
			return controlErr
		}
		return err
	}}
	connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(d.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	_, err = fmt.Fprintf(connection, "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	require.NoError(t, err)
	return connection
}

// requirePlace waits until the door lets requests in again.
func requirePlace(t *testing.T, d *door, token string) {
	t.Helper()
	require.Eventually(t, func() bool { return d.send("GET", "/api/v1/me", token, "").status == 200 }, 5*time.Second, 20*time.Millisecond)
}

// requireCut waits until both clients are cut off and their places free.
func requireCut(t *testing.T, d *door, token string) {
	t.Helper()
	require.Eventually(t, func() bool { return d.metric("braid_gateway_slow_clients_total") == 2 }, 5*time.Second, 20*time.Millisecond)
	requirePlace(t, d, token)
}

func TestWhoDoesNotReadLosesThePlace(t *testing.T) {
	t.Parallel()
	d, token := newLargeDoor(t, largeAnswer)
	connections := []net.Conn{dialNarrow(t, d, token), dialNarrow(t, d, token)}
	requireCut(t, d, token)
	for _, connection := range connections {
		require.NoError(t, connection.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err := io.Copy(io.Discard, connection)
		require.ErrorIs(t, err, syscall.ECONNRESET, "it must not look like a whole answer")
	}
}

// A byte now and then is no reading.
func TestWhoDripsLosesThePlace(t *testing.T) {
	t.Parallel()
	d, token := newLargeDoor(t, largeAnswer)
	for range 2 {
		connection := dialNarrow(t, d, token)
		drips := time.NewTicker(20 * time.Millisecond)
		t.Cleanup(drips.Stop)
		go func() {
			for range 1000 {
				if _, err := connection.Read(make([]byte, 1)); err != nil {
					return
				}
				select {
				case <-drips.C:
				case <-t.Context().Done():
					return
				}
			}
		}()
		t.Cleanup(func() { _ = connection.Close() })
	}
	requireCut(t, d, token)
}

// Who reads slowly, but reads, has all the time it takes.
func TestWhoReadsSlowlyGetsAll(t *testing.T) {
	t.Parallel()
	d, token := newLargeDoor(t, largeAnswer)
	connection := dialNarrow(t, d, token)
	require.NoError(t, connection.SetReadDeadline(time.Now().Add(10*time.Second)))
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	started, received := time.Now(), 0
	buffer := make([]byte, 32<<10)
	for received < largeAnswer {
		<-ticker.C
		count, err := io.ReadFull(connection, buffer)
		if received += count; err != nil {
			require.GreaterOrEqual(t, received, largeAnswer, err)
		}
	}
	require.Greater(t, time.Since(started), 2*writeTimeout)
	require.Zero(t, d.metric("braid_gateway_slow_clients_total"))
}

// Over HTTP/2 a client can keep one stream shut while the connection is well.
func TestStreamsThatStayShutAreReset(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, largeAnswer} {
		d, token := newLargeDoor(t, size)
		streams := []*rawStream{openStream(t, d, 0), openStream(t, d, 0)}
		for _, stream := range streams {
			stream.request("GET", "/api/v1/me", "", token, 0)
		}
		for _, stream := range streams {
			stream.readAnswer()
			require.NotNil(t, stream.reset, "%d bytes", size)
			require.Zero(t, stream.body)
		}
		requirePlace(t, d, token)
	}
}

// rest lets a stream be silent for longer than a write may take.
func rest(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*writeTimeout)
	defer cancel()
	<-ctx.Done()
}

func TestStreamsMayRest(t *testing.T) {
	t.Parallel()
	s := newSplit(t, func(e *gateway.Environment) { e.Config.WriteTimeout = writeTimeout })
	connection, ctx := s.dial(t)
	watching, cancel := context.WithCancel(ctx)
	stream, err := rpctest.StreamGRPC[workflowv1.WatchProjectResponse](watching, connection, workflowv1connect.ProjectServiceWatchProjectProcedure, &workflowv1.WatchProjectRequest{OrganizationId: s.organization.String(), ProjectId: somewhere})
	require.NoError(t, err)
	for revision := range int64(3) {
		s.projects.next <- change(revision)
		response, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, revision, response.GetChange().GetRevision())
		rest(t)
	}
	cancel()
	<-s.projects.ended

	request, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/api/v1/organizations/"+s.organization.String()+"/projects/"+somewhere+":watch", nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	go func() { s.projects.next <- change(1) }()
	response, err := s.client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for revision := int64(2); revision <= 3; revision++ {
		rest(t)
		s.projects.next <- change(revision)
		for lines.Scan() && lines.Text() != "id: "+strconv.FormatInt(revision, 10) {
			require.NotContains(t, lines.Text(), "error")
		}
		require.NoError(t, lines.Err())
	}
	require.NoError(t, response.Body.Close())
	<-s.projects.ended
}
