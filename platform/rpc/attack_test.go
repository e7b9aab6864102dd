package rpc_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/testkit/rpctest"
)

// A number of few characters may stand for one of many digits, and one of many digits for nothing that a field holds.
func TestNumberBombsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for name, number := range map[string]string{
		"a huge exponent":       "1e999999999",
		"a huge negative one":   "1e-999999999",
		"more than fits":        "18446744073709551616",
		"a million digits":      strings.Repeat("9", 1_000_000),
		"a million digits away": "0." + strings.Repeat("0", 1_000_000) + "1",
		"half a task":           "1.5",
		"not a number":          "NaN",
		"hexadecimal":           "0x10",
		"a leading zero":        "007",
		"a text that is huge":   `"1e999999999"`,
	} {
		before := time.Now()
		answer := b.REST("PATCH", b.path("/tasks/"+id.New().String()), b.token, `{"number":`+number+`}`)
		require.Equal(t, http.StatusBadRequest, answer.Status, name)
		require.Equal(t, "INVALID_ARGUMENT", answer.Reason(), name)
		require.Less(t, time.Since(before), 5*time.Second, name)
		require.Less(t, len(answer.Text), 4096, "%s: it is not repeated", name)
	}
}

// Which of two values counts must not depend on who reads them: the one that checks, or the one that acts.
func TestKeysThatComeTwiceAreRefusedHoweverSpelled(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for _, body := range []string{
		`{"title":"x","title":"y"}`,
		`{"title":"x","dueTime":"2030-01-01T00:00:00Z","due_time":"2031-01-01T00:00:00Z"}`,
		`{"title":"x","titl\u0065":"y"}`,
		`{"title":"x","labels":[],"labels":["a"]}`,
		`{"title":"x","Title":"y"}`,
		`{"title":"x","__proto__":{"admin":true}}`,
		`{"title":"x","constructor":{}}`,
	} {
		answer := b.REST("POST", b.newTasks(), b.token, body)
		require.Equal(t, http.StatusBadRequest, answer.Status, "%s: %s", body, answer.Text)
		require.Equal(t, "INVALID_ARGUMENT", answer.Reason(), body)
	}
}

// Over REST nothing is unpacked at all, so nothing can unpack to more than was sent.
func TestZipBombsOverRESTAreNotUnpacked(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	bomb := zipped(t, append([]byte(`{"title":"`), bytes.Repeat([]byte("x"), 100*rpc.MaxBody)...))
	require.Less(t, len(bomb), rpc.MaxBody)
	var twice bytes.Buffer
	packer := gzip.NewWriter(&twice)
	_, err := packer.Write(bomb)
	require.NoError(t, err)
	require.NoError(t, packer.Close())
	for encoding, body := range map[string][]byte{"gzip": bomb, "x-gzip": bomb, "deflate": bomb, "gzip, gzip": twice.Bytes(), "br": bomb, "zstd": bomb} {
		answer := b.REST("POST", b.newTasks(), b.token, body, rpctest.Header("Content-Encoding", encoding))
		requireOne(t, answer, http.StatusUnsupportedMediaType, "MEDIA_TYPE_UNSUPPORTED")
	}
	answer := b.REST("POST", b.newTasks(), b.token, bomb)
	requireOne(t, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
}

// Nobody is known by a cookie, so no other site can make a browser act for somebody.
func TestACookieSignsNobodyIn(t *testing.T) {
	t.Parallel()
	b := newBundle(t)
	b.forbidden(t)
	for _, cookie := range []string{
		"Authorization=Bearer " + b.token, "authorization=" + b.token, "access_token=" + b.token, "accessToken=" + b.token,
		"token=" + b.token, "session=" + b.token, "__Host-session=" + b.token, "braid=" + b.token,
	} {
		answer := b.REST("POST", b.newTasks(), "", `{"title":"x"}`, rpctest.Header("Cookie", cookie))
		require.Equal(t, http.StatusUnauthorized, answer.Status, cookie)
		require.Empty(t, answer.Header.Values("Set-Cookie"))
	}
	// What a form of another site can send without asking first is no request of ours.
	for _, form := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"} {
		answer := b.REST("POST", b.newTasks(), b.token, `{"title":"x"}`, rpctest.Header("Content-Type", form))
		requireOne(t, answer, http.StatusUnsupportedMediaType, "MEDIA_TYPE_UNSUPPORTED")
	}
}
