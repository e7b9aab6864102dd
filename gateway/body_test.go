package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
	"github.com/braidhq/braid/platform/rpc"
)

// dialRaw opens a connection on which a test does what no client of HTTP would.
func dialRaw(t *testing.T, d *door) net.Conn {
	t.Helper()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(d.URL, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(10*time.Second)))
	return connection
}

// A client that begins a body and stops is answered in time.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.BodyTimeout = 100 * time.Millisecond })
	connection := dialRaw(t, d)
	_, err := fmt.Fprintf(connection, "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 400, response.StatusCode)
	require.Zero(t, d.recorders["identity"].count())
}

// What is answered without the body does not wait for it, and ends the connection, where the body would come.
func TestAnswersWithoutTheBody(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(e *gateway.Environment) { e.Config.BodyTimeout = time.Minute })
	for _, test := range []struct {
		start, header string
		status        int
	}{
		{"POST /api/v1/organizations", "Content-Length: 100", 401},
		{"POST /api/v1/organizations", "Content-Length: 100\r\nExpect: 100-continue", 401},
		{"POST /api/v1/organizations", "Transfer-Encoding: chunked", 401},
		{"POST /api/v1/auth/login", fmt.Sprintf("Content-Length: %d", rpc.MaxBody+1), 413},
		{"POST /nothing", "Content-Length: 100", 404},
		{"PUT /api/v1/me", "Content-Length: 100", 405},
		{"GET /healthz", "Content-Length: 100", 200},
	} {
		t.Run(test.start+" "+test.header, func(t *testing.T) {
			t.Parallel()
			connection := dialRaw(t, d)
			started := time.Now()
			_, err := fmt.Fprintf(connection, "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s\r\n\r\n", test.start, test.header)
			require.NoError(t, err)
			reader := bufio.NewReader(connection)
			response, err := http.ReadResponse(reader, nil)
			require.NoError(t, err, test.start)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err, test.start)
			require.Less(t, time.Since(started), time.Second, test.start)
			require.Equal(t, test.status, response.StatusCode, test.start)
			require.True(t, response.Close, "%s: the connection can't serve another request", test.start)
			_, err = reader.ReadByte()
			require.ErrorIs(t, err, io.EOF, test.start)
			for _, service := range services {
				require.Zero(t, d.recorders[service].count())
			}
		})
	}
}

// Who sent the whole body keeps the connection, refused or not.
func TestRefusalsKeepTheConnection(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	connection := dialRaw(t, d)
	reader := bufio.NewReader(connection)
	for range 3 {
		_, err := fmt.Fprintf(connection, "POST /api/v1/organizations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
		require.NoError(t, err)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.Equal(t, 401, response.StatusCode)
		require.False(t, response.Close)
	}
}

// A client that reads only when its whole body is written sees the refusal too.
func TestRefusalsReachWhoWritesFirst(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil)
	body := bytes.Repeat([]byte(" "), 3<<20)
	for path, status := range map[string]int{"/api/v1/auth/login": 413, "/api/v1/organizations": 401} {
		connection := dialRaw(t, d)
		_, err := fmt.Fprintf(connection, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", path, len(body))
		require.NoError(t, err)
		_, err = connection.Write(body)
		require.NoError(t, err, path)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err, path)
		require.NoError(t, response.Body.Close())
		require.Equal(t, status, response.StatusCode, path)

		stream := openStream(t, d, 1<<20)
		stream.request("POST", path, "application/json", "", len(body))
		stream.sendBody(len(body))
		stream.readAnswer()
		require.Nil(t, stream.reset)
		require.Equal(t, strconv.Itoa(status), stream.status, path)
	}
}
