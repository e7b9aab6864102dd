package bench

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serve answers short bodies with their length, long ones in chunks, and what it is told to fail with a status.
func serve(t *testing.T) (address string, answered *atomic.Int64) {
	t.Helper()
	answered = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered.Add(1)
		switch r.URL.Path {
		case "/long":
			for range 8 {
				_, _ = fmt.Fprint(w, strings.Repeat("x", 1000))
				_ = http.NewResponseController(w).Flush()
			}
		case "/bad":
			http.Error(w, "no such thing", http.StatusNotFound)
		default:
			_, _ = fmt.Fprint(w, r.Header.Get("Authorization"))
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), answered
}

func TestConnectionReadsAnswersOfEveryForm(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	opened, err := dial(t.Context(), address)
	require.NoError(t, err)
	defer func() { _ = opened.Close() }()
	for _, one := range []struct {
		path   string
		status int
		body   string
	}{
		{"/short", 200, "Bearer token"}, {"/long", 200, strings.Repeat("x", 8000)}, {"/bad", 404, "no such thing\n"}, {"/short", 200, "Bearer token"},
	} {
		opened.request = appendRequest(nil, "GET", one.path, "token", "")
		status, body, err := opened.exchange(true)
		require.NoError(t, err)
		require.Equal(t, one.status, status)
		require.Equal(t, one.body, string(body), "what is left of one answer must not be read as the next")
	}
}

func TestDriveCountsEveryAnswer(t *testing.T) {
	t.Parallel()
	address, answered := serve(t)
	aim := target{address: address, next: func(dst []byte, connection int, _ *rand.Rand) []byte {
		return appendRequest(dst, "GET", []string{"/short", "/long"}[connection%2], "", "")
	}}
	result, err := drive(t.Context(), aim, 4, 50*time.Millisecond)
	require.NoError(t, err)
	require.Positive(t, result.requests)
	require.EqualValues(t, answered.Load(), result.requests)
	require.IsNonDecreasing(t, result.latencies)
}

func TestPaceKeepsItsRate(t *testing.T) {
	t.Parallel()
	address, answered := serve(t)
	aim := target{address: address, next: func(dst []byte, _ int, _ *rand.Rand) []byte { return appendRequest(dst, "GET", "/", "", "") }}
	result, err := pace(t.Context(), aim, 4, 200, 200*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 40, result.requests)
	require.EqualValues(t, 40, answered.Load())
	require.GreaterOrEqual(t, result.elapsed, 190*time.Millisecond, "the last is not due before")
}

func TestARequestThatFailsEndsTheLoad(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	aim := target{address: address, next: func(dst []byte, _ int, _ *rand.Rand) []byte { return appendRequest(dst, "GET", "/bad", "", "") }}
	_, err := drive(t.Context(), aim, 2, time.Minute)
	require.ErrorContains(t, err, "404: no such thing")
	_, err = pace(t.Context(), aim, 2, 1000, time.Minute)
	require.ErrorContains(t, err, "404: no such thing")
}
