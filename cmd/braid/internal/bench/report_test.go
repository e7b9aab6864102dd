package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/id"
)

// at makes an outcome of so many requests in a second.
func at(requests int, latency time.Duration) outcome {
	return outcome{requests: requests, elapsed: time.Second, latencies: []time.Duration{latency, 2 * latency}}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	t.Parallel()
	made := report{judged: true}
	// The machine halves its speed in the second round: rates change, their ratio does not.
	made.addCompared(&compared{
		work:    "read",
		results: []outcome{at(900, time.Millisecond), at(450, 2*time.Millisecond), at(200, time.Millisecond)},
		floors:  []outcome{at(1000, 0), at(500, 0), at(1000, 0)},
	}, "≥ 1.0", func(ratio float64, p99 time.Duration) bool {
		require.InDelta(t, 0.9, ratio, 0.001)
		require.Equal(t, 2*time.Millisecond, p99)
		return false
	})
	require.Len(t, made.rows, 1)
	require.Equal(t, "0.90", made.rows[0].ratio)
	require.Equal(t, "450/s", made.rows[0].figure)
	require.Equal(t, "no", made.rows[0].met)
	require.Contains(t, made.markdown(), "| read | 450/s | 1000/s | 0.90 |")
}

func TestASmallRunIsNotJudged(t *testing.T) {
	t.Parallel()
	made := report{}
	made.add(row{work: "start again", figure: "1 s", target: "≤ 3 s", met: met(false)})
	require.Empty(t, made.rows[0].target)
	require.Empty(t, made.rows[0].met)
}

func TestARunBesideOthersSaysSo(t *testing.T) {
	t.Parallel()
	quiet := usage{known: true, foreign: 0.01, load: "0.10"}
	loud := usage{known: true, foreign: 0.20, load: "3.00"}
	stolen := usage{known: true, stolen: 0.20, load: "0.10"}
	require.NotContains(t, (&report{before: quiet, during: quiet}).markdown(), loudWarning)
	require.Contains(t, (&report{before: quiet, during: loud}).markdown(), loudWarning)
	require.Contains(t, (&report{before: stolen, during: quiet}).markdown(), loudWarning)
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	sorted := make([]time.Duration, 100)
	for i := range sorted {
		sorted[i] = time.Duration(i + 1)
	}
	require.EqualValues(t, 51, quantile(sorted, .5))
	require.EqualValues(t, 100, quantile(sorted, .99))
	require.Zero(t, quantile(nil, .99))
}

func TestDelaysMissNoEffect(t *testing.T) {
	t.Parallel()
	now := time.Now()
	created := map[string]time.Time{"a": now, "b": now}
	_, err := delays(created, map[string]time.Time{"a": now.Add(time.Second)}, true)
	require.ErrorContains(t, err, "task b has no effect")
	found, err := delays(created, map[string]time.Time{"a": now.Add(time.Second), "b": now.Add(time.Millisecond)}, true)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{time.Millisecond, time.Second}, found)
}

func TestOursIsNotForeign(t *testing.T) {
	t.Parallel()
	all := map[int]processStat{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 1}}
	require.True(t, descends(all, 12, 10))
	require.True(t, descends(all, 10, 10))
	require.False(t, descends(all, 20, 10))
	require.False(t, descends(all, 99, 10))
}

func TestFloorAnswersWhatTheProductDoes(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	assignee := [16]byte(id.MustParse("0197f000-0000-7000-8000-000000000004"))
	task := floorTask{
		organizationID: id.MustParse("0197f000-0000-7000-8000-000000000001"), id: id.MustParse("0197f000-0000-7000-8000-000000000002"),
		projectID: id.MustParse("0197f000-0000-7000-8000-000000000003"), number: 7, projectKey: "WEB", title: `a "title"`,
		status: "todo", priority: 2, assigneeID: &assignee, reporterID: assignee, labels: []string{"x", "y"},
		createdAt: made, updatedAt: made, revision: 9,
	}
	require.JSONEq(t, `{"id":"0197f000-0000-7000-8000-000000000002","organizationId":"0197f000-0000-7000-8000-000000000001",
		"projectId":"0197f000-0000-7000-8000-000000000003","number":7,"key":"WEB-7","title":"a \"title\"","description":"","status":"todo",
		"priority":"NORMAL","assigneeId":"0197f000-0000-7000-8000-000000000004","reporterId":"0197f000-0000-7000-8000-000000000004",
		"labels":["x","y"],"createTime":"2026-01-02T03:04:05.000006Z","updateTime":"2026-01-02T03:04:05.000006Z","etag":"9"}`,
		string(task.appendJSON(nil)))
}
