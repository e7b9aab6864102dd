package gateway_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/gateway"
)

// standing is a service that can be made to stand still: it takes requests and does not answer.
type standing struct {
	recorder
	still atomic.Bool
	// requests and questions are what it took while it stood still.
	requests, questions atomic.Int64
}

func (s *standing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.still.Load() {
		s.recorder.ServeHTTP(w, r)
		return
	}
	if r.URL.Path == "/healthz" {
		s.questions.Add(1)
	} else {
		s.requests.Add(1)
	}
	// Only with the body read does the server notice that the client has gone.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// newStanding is a gateway before a service that stands still and one that works.
func newStanding(t *testing.T) (*split, *standing, *recorder) {
	t.Helper()
	still, working := &standing{}, &recorder{}
	still.still.Store(true)
	stillURL, _ := serve(t, still)
	workingURL, _ := serve(t, working)
	return newSplit(t, func(e *gateway.Environment) { e.URLs["workflow"] = []string{stillURL, workingURL} }), still, working
}

// What may be done twice is answered by another address, and then nothing goes to the one that stands still but a
// question now and then.
func TestProxyPassesOverTheHung(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		method, path, body string
		headers            []string
	}{
		"a read":                         {"GET", "/tasks/" + somewhere, "", nil},
		"a read over Connect":            {"POST", "", "{}", nil},
		"a mutation with a key":          {"PATCH", "/tasks/" + somewhere, `{"title":"x"}`, []string{"Idempotency-Key", "k"}},
		"a read that would wait shortly": {"GET", "/tasks/" + somewhere, "", []string{"Connect-Timeout-Ms", "10"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, still, working := newStanding(t)
			path := "/api/v1/organizations/" + s.organization.String() + test.path
			if test.path == "" {
				path = "/braid.workflow.v1.TaskService/GetTask"
			}
			started := time.Now()
			for range 8 {
				got := s.send(test.method, path, s.token, test.body, test.headers...)
				require.Equal(t, 200, got.status, got.text)
			}
			require.Less(t, time.Since(started), 5*time.Second)
			require.EqualValues(t, 1, still.requests.Load(), "the others pass it over")
			require.Equal(t, 8, working.count())
			require.InDelta(t, 1, s.gauge("braid_gateway_hung_addresses", "workflow"), 0)
			require.InDelta(t, 1, s.metric("braid_gateway_repeats_total"), 0)

			require.Eventually(t, func() bool {
				require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "").status)
				return still.questions.Load() >= 2
			}, 10*time.Second, 50*time.Millisecond, "it is asked")
			require.EqualValues(t, 1, still.requests.Load(), "no request has to find out")
			still.still.Store(false)
			require.Eventually(t, func() bool {
				require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "").status)
				return s.gauge("braid_gateway_hung_addresses", "workflow") == 0
			}, 10*time.Second, 50*time.Millisecond, "it is taken back")
			before := still.count()
			for range 4 {
				require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "").status)
			}
			require.Equal(t, before+2, still.count())
		})
	}
}

// What would have a second effect is not sent again.
func TestProxyDoesNotRepeatEffects(t *testing.T) {
	t.Parallel()
	s, still, working := newStanding(t)
	statuses := map[int]int{}
	for range 4 {
		statuses[s.send("PATCH", s.taskPath(), s.token, `{"title":"x"}`, "Connect-Timeout-Ms", "10").status]++
	}
	require.Equal(t, map[int]int{200: 3, 503: 1}, statuses)
	require.EqualValues(t, 1, still.requests.Load())
	require.Equal(t, 3, working.count())
}

// Nor on a connection that breaks, whatever a client calls its key: only ours is honored, and by some methods only.
func TestProxyRepeatsByOurKeyOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, key string
		times     int
	}{
		"no key":          {"projects", "X-Nothing", 1},
		"another's key":   {"projects", "X-Idempotency-Key", 1},
		"our key":         {"projects", "Idempotency-Key", 2},
		"a public method": {"", "Idempotency-Key", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			breaking := &recorder{answer: func(_ http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					panic(http.ErrAbortHandler)
				}
			}}
			url, _ := serve(t, breaking)
			s := newSplit(t, func(e *gateway.Environment) {
				delete(e.Services, "identity")
				e.URLs["workflow"], e.URLs["identity"] = []string{url}, []string{url}
			})
			path := "/api/v1/auth/login"
			if test.path != "" {
				path = "/api/v1/organizations/" + s.organization.String() + "/" + test.path
			}
			require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "").status, "the connection is made")
			require.Equal(t, 503, s.send("POST", path, s.token, "{}", test.key, "k").status)
			require.Equal(t, 1+test.times, breaking.count())
		})
	}
}

// One address alone has all the time there is.
func TestProxyWaitsForTheOnlyOne(t *testing.T) {
	t.Parallel()
	slow := &recorder{answer: func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(3500 * time.Millisecond):
		case <-r.Context().Done():
		}
	}}
	url, _ := serve(t, slow)
	s := newSplit(t, func(e *gateway.Environment) { e.URLs["workflow"] = []string{url} })
	require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "").status)
	require.Equal(t, 1, slow.count())
}

// A slow request is not a hung address: who answers the question is taken back.
func TestProxyTellsSlowFromHung(t *testing.T) {
	t.Parallel()
	slow, other := &recorder{}, &recorder{}
	slow.answer = func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			<-r.Context().Done()
		}
	}
	slowURL, _ := serve(t, slow)
	otherURL, _ := serve(t, other)
	s := newSplit(t, func(e *gateway.Environment) { e.URLs["workflow"] = []string{otherURL, slowURL} })
	require.Equal(t, 200, s.send("GET", s.taskPath(), s.token, "", "Connect-Timeout-Ms", "10").status)
	require.Eventually(t, func() bool { return s.gauge("braid_gateway_hung_addresses", "workflow") == 0 }, 5*time.Second, 10*time.Millisecond)
	require.Equal(t, "/healthz", slow.last(t).URL.Path)
}
