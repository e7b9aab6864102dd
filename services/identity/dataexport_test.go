package identity_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/app"
)

func TestDataExportIsCollectedMailedAndFetchedOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("bob@example.com")
	session, other := h.signIn("ada@example.com"), h.signIn("bob@example.com")
	userID := claimsOf(t, session.GetAccessToken())["sub"].(string)
	h.elsewhere.set(userID, []string{`{"id":"1","body":"<script>alert(1)</script> & \u00fcber","createTime":"2026-11-22T12:00:00+00:00"}`}, false)
	h.elsewhere.set(claimsOf(t, other.GetAccessToken())["sub"].(string), []string{`{"body":"what bob wrote"}`}, false)
	h.workJobs()
	before := len(h.events())

	export := h.ask(session.GetAccessToken())
	ready := h.ended(session.GetAccessToken(), export.GetId())
	require.Equal(t, identityv1.DataExport_READY, ready.GetState(), ready.GetFailureReason())
	require.Equal(t, h.clock.Now().Add(24*time.Hour), ready.GetExpireTime().AsTime())
	require.Equal(t, []string{"identity.data_export.requested", "identity.data_export.ready"}, h.typesSince(before))
	mail := h.exportMail(export.GetId())
	require.Equal(t, "ada@example.com", mail.GetEmail())

	status, header, archive := h.download(mail.GetToken())
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "application/zip", header.Get("Content-Type"))
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "attachment", header.Get("Content-Disposition"))
	require.EqualValues(t, len(archive), ready.GetSizeBytes())
	files := unpack(t, archive)
	require.Equal(t, "ada@example.com", itemsOf(t, files["account.json"])[0]["email"])
	require.Len(t, itemsOf(t, files["sessions.json"]), 1)
	require.Len(t, itemsOf(t, files["data-exports.json"]), 1)
	require.Equal(t, "<script>alert(1)</script> & über", itemsOf(t, files["comments.json"])[0]["body"])
	page := files["index.html"]
	require.Contains(t, page, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; über")
	require.NotContains(t, page, "<script")
	require.Contains(t, page, "2026-11-22 12:00:00 UTC")
	for name, content := range files {
		require.NotContains(t, content, "bob", name)
	}

	status, _, _ = h.download(mail.GetToken())
	require.Equal(t, http.StatusNotFound, status, "once")
	used := h.ended(session.GetAccessToken(), export.GetId())
	require.Equal(t, identityv1.DataExport_DOWNLOADED, used.GetState())
	require.Empty(t, h.exportMail(export.GetId()).GetToken())
	require.NotContains(t, h.logs.String(), mail.GetToken())
}

// The archive holds no secret, whatever column it stands in: those of every table of the service are looked for.
func TestDataExportHoldsNoSecret(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	phone, _ := h.secure(session.GetAccessToken())
	raised, err := h.stepUpByCode(session.GetAccessToken(), phone.code(0))
	require.NoError(t, err)
	h.workJobs()
	export := h.ask(raised.GetAccessToken())
	require.Equal(t, identityv1.DataExport_READY, h.ended(raised.GetAccessToken(), export.GetId()).GetState())
	_, _, archive := h.download(h.exportMail(export.GetId()).GetToken())
	files := unpack(t, archive)
	require.Len(t, itemsOf(t, files["factors.json"]), 1)
	var all strings.Builder
	for _, content := range files {
		all.WriteString(content)
	}
	secrets := h.secretValues()
	require.Greater(t, len(secrets), 10)
	for column, texts := range secrets {
		for _, text := range texts {
			require.NotContains(t, all.String(), text, column)
		}
	}
}

// Nothing is too much: what is held in memory does not grow with it, and the pieces in the database are small and sealed.
func TestDataExportOfALotIsBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	const lots = 5000
	items := make([]string, lots)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range items {
		body := make([]byte, 200)
		for at := range body {
			body[at] = "abcdefghijklmnopqrstuvwxyz0123456789"[random.IntN(36)]
		}
		items[i] = fmt.Sprintf(`{"number":%d,"body":"%s"}`, i, body)
	}
	h.elsewhere.set(claimsOf(t, session.GetAccessToken())["sub"].(string), items, false)
	h.workJobs()
	export := h.ask(session.GetAccessToken())
	ready := h.ended(session.GetAccessToken(), export.GetId())
	require.Equal(t, identityv1.DataExport_READY, ready.GetState())

	var chunks, largest int64
	var plain bool
	require.NoError(t, h.database.Admin.QueryRow(t.Context(), `select count(*), max(octet_length(sealed)), bool_or(position('comments.json'::bytea in sealed) > 0)
		from data_export_chunk`).Scan(&chunks, &largest, &plain))
	require.Greater(t, chunks, int64(5))
	require.LessOrEqual(t, largest, int64(64<<10))
	require.False(t, plain, "they are sealed")

	_, _, archive := h.download(h.exportMail(export.GetId()).GetToken())
	files := unpack(t, archive)
	comments := itemsOf(t, files["comments.json"])
	require.Len(t, comments, lots)
	for i, comment := range comments {
		require.EqualValues(t, i, comment["number"])
	}
	require.Contains(t, files["index.html"], "And 4900 more")
	require.Less(t, len(files["index.html"]), 300<<10)
	h.clock.Advance(time.Minute)
	require.NoError(t, h.cleanUp())
	require.Zero(t, h.count(`select count(*) from data_export_chunk`), "a fetched archive is gone")
}

// While one fetches the archive nobody else does; who broke off begins again, and gets all of it.
func TestDataExportDownloadThatBreaksOffIsBegunAgain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	h.workJobs()
	export := h.ask(session.GetAccessToken())
	h.ended(session.GetAccessToken(), export.GetId())
	mailed := h.exportMail(export.GetId()).GetToken()
	useCases := h.useCases()

	gone := errors.New("the client went away")
	err := useCases.DownloadDataExport(t.Context(), mailed, func([]byte) error {
		status, _, _ := h.download(mailed)
		require.Equal(t, http.StatusNotFound, status, "one at a time")
		return gone
	})
	require.ErrorIs(t, err, gone)
	status, _, archive := h.download(mailed)
	require.Equal(t, http.StatusOK, status)
	unpack(t, archive)
	status, _, _ = h.download(mailed)
	require.Equal(t, http.StatusNotFound, status)
}

// A download whose process died holds the archive for as long as a claim lives.
func TestDataExportClaimOfTheDeadEnds(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	h.workJobs()
	export := h.ask(session.GetAccessToken())
	h.ended(session.GetAccessToken(), export.GetId())
	mailed := h.exportMail(export.GetId()).GetToken()
	_, err := h.database.Admin.Exec(t.Context(), `update data_export set claimed_until = $1`, h.clock.Now().Add(90*time.Second))
	require.NoError(t, err)
	status, _, _ := h.download(mailed)
	require.Equal(t, http.StatusNotFound, status)
	h.clock.Advance(90 * time.Second)
	status, _, _ = h.download(mailed)
	require.Equal(t, http.StatusOK, status)
}

func TestDataExportLinkEndsAfterADay(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	h.workJobs()
	export := h.ask(session.GetAccessToken())
	h.ended(session.GetAccessToken(), export.GetId())
	mailed := h.exportMail(export.GetId()).GetToken()
	h.clock.Advance(24 * time.Hour)
	status, _, _ := h.download(mailed)
	require.Equal(t, http.StatusNotFound, status)
	require.Empty(t, h.exportMail(export.GetId()).GetToken())
	h.clock.Advance(time.Second)
	require.NoError(t, h.cleanUp())
	require.NoError(t, h.cleanUp())
	require.Zero(t, h.count(`select count(*) from data_export_chunk`))
	require.Zero(t, h.count(`select count(*) from data_export`))
}

func TestDataExportsAreOneAtATimeAndThreeADay(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("bob@example.com")
	session, other := h.signIn("ada@example.com"), h.signIn("bob@example.com")
	exports := h.exports(session.GetAccessToken())
	create := func() (*identityv1.DataExport, error) {
		return exports.CreateDataExport(t.Context(), &identityv1.CreateDataExportRequest{})
	}
	// At once: one of them.
	results := make(chan error, 4)
	for range 4 {
		go func() { _, err := create(); results <- err }()
	}
	made := 0
	for range 4 {
		if err := <-results; err == nil {
			made++
		} else {
			require.Equal(t, "DATA_EXPORT_RUNNING", reasonOf(t, err))
		}
	}
	require.Equal(t, 1, made)
	listed, err := exports.ListDataExports(t.Context(), &identityv1.ListDataExportsRequest{Filter: `state = "RUNNING"`})
	require.NoError(t, err)
	require.Len(t, listed.GetDataExports(), 1)
	first := listed.GetDataExports()[0].GetId()

	// Another person's is not found.
	strange := h.exports(other.GetAccessToken())
	_, err = strange.GetDataExport(t.Context(), &identityv1.GetDataExportRequest{DataExportId: first})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	_, err = strange.DeleteDataExport(t.Context(), &identityv1.DeleteDataExportRequest{DataExportId: first})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	listed, err = strange.ListDataExports(t.Context(), &identityv1.ListDataExportsRequest{})
	require.NoError(t, err)
	require.Empty(t, listed.GetDataExports())

	// Deleted ones count.
	for exportID := first; ; {
		_, err = exports.DeleteDataExport(t.Context(), &identityv1.DeleteDataExportRequest{DataExportId: exportID})
		require.NoError(t, err)
		_, err = exports.GetDataExport(t.Context(), &identityv1.GetDataExportRequest{DataExportId: exportID})
		require.Equal(t, "NOT_FOUND", reasonOf(t, err))
		next, err := create()
		if err != nil {
			require.Equal(t, "DATA_EXPORT_LIMIT_REACHED", reasonOf(t, err))
			break
		}
		made++
		exportID = next.GetId()
	}
	require.Equal(t, 3, made)
	// What was deleted is collected for nobody.
	h.workJobs()
	require.Eventually(t, func() bool { return h.jobsLeft() == 0 }, 30*time.Second, 20*time.Millisecond)
	require.Zero(t, h.count(`select count(*) from data_export_chunk`))
	_, err = h.exports(h.stale("ada@example.com").GetAccessToken()).CreateDataExport(t.Context(), &identityv1.CreateDataExportRequest{})
	require.Equal(t, "STEP_UP_REQUIRED", reasonOf(t, err))
}

// A service that does not answer is asked again; at last the person is told which one it was.
func TestDataExportWaitsForAServiceAndGivesUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	userID := claimsOf(t, session.GetAccessToken())["sub"].(string)
	h.elsewhere.set(userID, nil, true)
	h.workJobs()
	export := h.ask(session.GetAccessToken())
	tried := func() (attempts int) {
		require.NoError(t, h.database.Admin.QueryRow(t.Context(), `select coalesce(max(attempt), 0) from river_job where state = 'retryable' or finalized_at is not null`).Scan(&attempts))
		return attempts
	}
	require.Eventually(t, func() bool { return tried() >= 1 }, 30*time.Second, 20*time.Millisecond)
	h.elsewhere.set(userID, []string{`{"body":"back"}`}, false)
	h.hurry()
	require.Equal(t, identityv1.DataExport_READY, h.ended(session.GetAccessToken(), export.GetId()).GetState(), "it is back")

	h.elsewhere.set(userID, nil, true)
	export = h.ask(session.GetAccessToken())
	before := len(h.events())
	_, err := h.database.Admin.Exec(t.Context(), `update river_job set max_attempts = 1 where finalized_at is null`)
	require.NoError(t, err)
	require.Eventually(t, func() bool { h.hurry(); return h.jobsLeft() == 0 }, 60*time.Second, 100*time.Millisecond)
	failed := h.ended(session.GetAccessToken(), export.GetId())
	require.Equal(t, identityv1.DataExport_FAILED, failed.GetState())
	require.Equal(t, "The service organization did not answer.", failed.GetFailureReason())
	require.Equal(t, []string{"identity.data_export.failed"}, h.typesSince(before))
	require.Equal(t, failed.GetFailureReason(), h.exportMail(export.GetId()).GetFailureReason())
}

// A process that is killed in the last try leaves an export that nobody works on; it is given up in the end.
func TestDataExportThatNobodyWorksOnIsGivenUp(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	export := h.ask(session.GetAccessToken())
	h.clock.Advance(6 * time.Hour)
	require.NoError(t, h.cleanUp())
	h.clock.Advance(time.Second)
	before := len(h.events())
	require.NoError(t, h.cleanUp())
	require.Equal(t, []string{"identity.data_export.failed"}, h.typesSince(before))
	require.Equal(t, "It took too long.", h.exportMail(export.GetId()).GetFailureReason())
}

// Of two processes that collect for one export, as when one was held up and taken for dead, the later one counts.
func TestDataExportOvertakenByAnotherTry(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	session := h.signIn("ada@example.com")
	export := h.ask(session.GetAccessToken())
	exportID, err := id.Parse(export.GetId())
	require.NoError(t, err)
	useCases := h.useCases()
	later := h.useCases()
	h.elsewhere.hold(func() { require.NoError(t, later.CollectData(t.Context(), app.CollectData{ExportID: exportID})) })
	require.NoError(t, useCases.CollectData(t.Context(), app.CollectData{ExportID: exportID}))
	ready := h.ended(session.GetAccessToken(), export.GetId())
	require.Equal(t, identityv1.DataExport_READY, ready.GetState())
	_, _, archive := h.download(h.exportMail(export.GetId()).GetToken())
	unpack(t, archive)
	require.EqualValues(t, len(archive), ready.GetSizeBytes())
	require.NoError(t, h.cleanUp())
	require.Zero(t, h.count(`select count(*) from data_export_chunk`), "nor is anything left of the other")
}
