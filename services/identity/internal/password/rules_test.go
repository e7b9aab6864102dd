package password

import (
	"context"
	"crypto/sha1" //nolint:gosec // The protocol's.
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/errs"
)

var ada = Owner{Name: "Ada Lovelace", Email: "ada.l@analytical.example", Organization: "Engine Works"}

func reasonFor(t *testing.T, rules *Rules, password string, owner Owner) string {
	t.Helper()
	err := rules.Check(t.Context(), "newPassword", password, owner)
	if err == nil {
		return ""
	}
	problem := errs.From(err)
	require.Len(t, problem.Violations, 1)
	require.Equal(t, "newPassword", problem.Violations[0].Field)
	require.NotContains(t, err.Error(), password)
	return problem.Reason
}

func TestRules(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]string{
		"correct horse battery staple": "",
		"            a            ":    "",
		"пароль из двенадцати":         "",
		"eleven char":                  "PASSWORD_TOO_SHORT",
		strings.Repeat("é", 11) + "x":  "",
		// Twelve code points that are six characters.
		strings.Repeat("e\u0301", 6):   "PASSWORD_TOO_SHORT",
		strings.Repeat("e\u0301", 256): "",
		strings.Repeat("é", 257):       "PASSWORD_TOO_LONG",
		"1qaz2wsx3edc":                 "PASSWORD_BREACHED",
		"1QAZ2wsx3EDC":                 "PASSWORD_BREACHED",
		"passwordpassword":             "PASSWORD_BREACHED",
		"AdaLovelace1815!":             "PASSWORD_PERSONAL",
		"Ad@ L0velace 1815":            "PASSWORD_PERSONAL",
		"lovelace19991210":             "PASSWORD_PERSONAL",
		"ada.l@analytical.example":     "PASSWORD_PERSONAL",
		"EngineWorks2026!!":            "PASSWORD_PERSONAL",
		"lovelace and nine good words": "",
		"analytically speaking fine":   "",
	} {
		require.Equal(t, want, reasonFor(t, &Rules{}, password, ada), password)
	}
	require.Empty(t, reasonFor(t, &Rules{}, "AdaLovelace1815!", Owner{Name: "Ben", Email: "ben@example.com"}), "it is no name of Ben's")
}

func TestListIsLargeAndAccusesFew(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(breached)/prefixLength, 100_000)
	require.LessOrEqual(t, len(breached), 1<<20)
	for i := prefixLength; i < len(breached); i += prefixLength {
		require.Less(t, breached[i-prefixLength:i], breached[i:i+prefixLength], "sorted, each once")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		require.False(t, isBreached(fmt.Sprintf("%016x", random.Uint64())))
	}
}

func TestLookupTellsFiveDigitsAndFailsOpen(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte("leaked but not listed")) //nolint:gosec // The protocol's.
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	asked := make(chan string, 8)
	answer := make(chan func(w http.ResponseWriter), 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + " " + r.Header.Get("Add-Padding")
		(<-answer)(w)
	}))
	t.Cleanup(server.Close)
	lookup := NewLookup(server.URL+"/range", time.Minute, prometheus.NewRegistry())
	t.Cleanup(lookup.Close)
	rules := &Rules{Lookup: lookup}
	lines := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = w.Write([]byte(text)) }
	}

	answer <- lines("0018A45C4D1DEF81644B54AB7F969B88D65:3\r\n" + digits[5:] + ":42\r\n")
	require.Equal(t, "PASSWORD_BREACHED", reasonFor(t, rules, "leaked but not listed", Owner{}))
	require.Equal(t, "/range/"+digits[:5]+" true", <-asked, "five digits and nothing else")
	answer <- lines(digits[5:] + ":0\r\n")
	require.Empty(t, reasonFor(t, rules, "leaked but not listed", Owner{}), "padding is nobody's password")
	answer <- func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }
	require.Empty(t, reasonFor(t, rules, "leaked but not listed", Owner{}), "a service that is down refuses nobody")
	require.Equal(t, "PASSWORD_TOO_SHORT", reasonFor(t, rules, "short", Owner{}))
	require.Len(t, asked, 2, "what is refused anyway is not asked about")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, rules.Check(ctx, "password", "leaked but not listed", Owner{}))
	for outcome, want := range map[string]float64{"breached": 1, "clean": 1, "failed": 2} {
		require.InDelta(t, want, testutil.ToFloat64(lookup.outcomes.WithLabelValues(outcome)), 0, outcome)
	}
}
