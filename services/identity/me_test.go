package identity_test

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// rest sends a request over REST and returns status and body.
func (h *harness) rest(method, path, token, body string) (int, map[string]any) {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	require.NoError(h.t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := h.as(token).Do(request)
	require.NoError(h.t, err)
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	require.NoError(h.t, err)
	decoded := map[string]any{}
	require.NoError(h.t, json.Unmarshal(data, &decoded), "%s", data)
	return response.StatusCode, decoded
}

func TestMeOverREST(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	token := h.signIn("ada@example.com").GetAccessToken()
	status, me := h.rest(http.MethodGet, "/api/v1/me", token, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, user.GetId(), me["id"])
	require.Equal(t, "Ada", me["displayName"])

	// What was read, sent back with one field changed.
	me["displayName"] = "Ada Lovelace"
	whole, err := json.Marshal(me)
	require.NoError(t, err)
	status, updated := h.rest(http.MethodPatch, "/api/v1/me", token, string(whole))
	require.Equal(t, http.StatusOK, status, "%v", updated)
	require.Equal(t, "Ada Lovelace", updated["displayName"])
	require.NotEqual(t, me["etag"], updated["etag"])

	status, refused := h.rest(http.MethodPatch, "/api/v1/me", token, string(whole))
	require.Equal(t, http.StatusConflict, status)
	require.Contains(t, mustJSON(t, refused), `"ETAG_MISMATCH"`)
	require.Contains(t, mustJSON(t, refused), updated["etag"], "the current etag comes with the refusal")

	for body, mention := range map[string]string{
		`{"email":"eve@example.com"}`:                        `"field":"email"`,
		`{"displayName":"` + strings.Repeat("x", 101) + `"}`: "displayName",
		`{"displayName":"   "}`:                              "displayName",
		`{"displayName":"","etag":""}`:                       "displayName",
		`{"nickname":"Ada"}`:                                 "nickname",
	} {
		status, refused := h.rest(http.MethodPatch, "/api/v1/me", token, body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, mustJSON(t, refused), mention, body)
	}
	status, refused = h.rest(http.MethodPatch, "/api/v1/me?updateMask=createTime,nickname", token, `{"displayName":"x"}`)
	require.Equal(t, http.StatusBadRequest, status, "%v", refused)

	status, keys := h.rest(http.MethodGet, "/.well-known/jwks.json", "", "")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, keys["keys"], 1)
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

func TestUpdateMeTellsOfEachChangeOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	me := h.me(h.signIn("ada@example.com").GetAccessToken())
	update := func(name, etag string, paths ...string) (*identityv1.User, error) {
		return me.UpdateMe(t.Context(), &identityv1.UpdateMeRequest{
			User: &identityv1.User{DisplayName: name, Etag: etag}, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
	}
	before := len(h.events())
	h.clock.Advance(time.Second)
	changed, err := update("Ada L.", "", "display_name")
	require.NoError(t, err)
	require.Equal(t, h.clock.Now(), changed.GetUpdateTime().AsTime())
	same, err := update(" Ada L. ", changed.GetEtag())
	require.NoError(t, err)
	require.Equal(t, changed.GetEtag(), same.GetEtag())
	ignored, err := update("not this", "", "etag", "update_time")
	require.NoError(t, err)
	require.Equal(t, "Ada L.", ignored.GetDisplayName())
	events := h.events()[before:]
	require.Len(t, events, 1)
	updated, ok := events[0].message.(*identityv1.UserUpdated)
	require.True(t, ok)
	require.Equal(t, "Ada L.", updated.GetDisplayName())
	require.EqualValues(t, 2, updated.GetRevision())
	again, err := update("Ada", "")
	require.NoError(t, err)
	require.Equal(t, "Ada", again.GetDisplayName())
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("ben@example.com")
	ben := h.signIn("ben@example.com")
	var logins []*identityv1.LoginResponse
	for range 5 {
		h.clock.Advance(time.Second)
		logins = append(logins, h.signIn("ada@example.com"))
	}
	me := h.me(logins[4].GetAccessToken())

	var listed []*identityv1.Session
	token := ""
	for {
		page, err := me.ListSessions(t.Context(), &identityv1.ListSessionsRequest{PageSize: 2, PageToken: token})
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.GetSessions()), 2)
		listed = append(listed, page.GetSessions()...)
		if token = page.GetNextPageToken(); token == "" {
			break
		}
		_, err = h.me(ben.GetAccessToken()).ListSessions(t.Context(), &identityv1.ListSessionsRequest{PageSize: 2, PageToken: token})
		require.Equal(t, "PAGE_TOKEN_INVALID", reasonOf(t, err), "a page token is good for one user")
	}
	require.Len(t, listed, 5)
	for i, session := range listed {
		require.Equal(t, i == 0, session.GetCurrent(), "the newest comes first, and asked")
		require.Equal(t, "test-agent/1.0", session.GetUserAgent())
		require.Equal(t, "127.0.0.1", session.GetClientAddress())
	}

	first := listed[4].GetId()
	_, err := h.me(ben.GetAccessToken()).DeleteSession(t.Context(), &identityv1.DeleteSessionRequest{SessionId: first})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err), "another user's session is not there")
	require.True(t, h.active(logins[0].GetAccessToken()))
	_, err = me.DeleteSession(t.Context(), &identityv1.DeleteSessionRequest{SessionId: id.New().String()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
	before := len(h.events())
	_, err = me.DeleteSession(t.Context(), &identityv1.DeleteSessionRequest{SessionId: first})
	require.NoError(t, err)
	require.False(t, h.active(logins[0].GetAccessToken()))
	_, err = h.me(logins[0].GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.Equal(t, "TOKEN_INVALID", reasonOf(t, err))
	events := h.events()[before:]
	require.Len(t, events, 1)
	revoked, ok := events[0].message.(*identityv1.SessionRevoked)
	require.True(t, ok)
	require.Equal(t, identityv1.SessionRevoked_ENDED_BY_USER, revoked.GetReason())
	_, err = me.DeleteSession(t.Context(), &identityv1.DeleteSessionRequest{SessionId: first})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err))
}

func TestSessionsAreFilteredAndSorted(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	require.NoError(t, store.Sessions.Validate())
	h.signUp("ada@example.com")
	var sessions []string
	for range 5 {
		h.clock.Advance(time.Minute)
		me := h.me(h.signIn("ada@example.com").GetAccessToken())
		page, err := me.ListSessions(t.Context(), &identityv1.ListSessionsRequest{PageSize: 1})
		require.NoError(t, err)
		sessions = append(sessions, page.GetSessions()[0].GetId())
	}
	_, err := h.database.Admin.Exec(t.Context(), `update session set user_agent = 'Phone/2' where id = $1`, sessions[1])
	require.NoError(t, err)
	_, err = h.database.Admin.Exec(t.Context(), `update session set last_used_at = last_used_at + interval '1 hour', expires_at = expires_at - interval '1 day' where id = $1`, sessions[2])
	require.NoError(t, err)
	h.clock.Advance(time.Minute)
	me := h.me(h.signIn("ada@example.com").GetAccessToken())
	newest, err := me.ListSessions(t.Context(), &identityv1.ListSessionsRequest{PageSize: 1})
	require.NoError(t, err)
	sessions = append(sessions, newest.GetSessions()[0].GetId())
	list := func(filter, orderBy string) (found []string) {
		request := &identityv1.ListSessionsRequest{Filter: filter, OrderBy: orderBy, PageSize: 2}
		for range 5 {
			page, err := me.ListSessions(t.Context(), request)
			require.NoError(t, err, filter+orderBy)
			for _, session := range page.GetSessions() {
				found = append(found, session.GetId())
			}
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
		return found
	}
	require.Equal(t, sessions[1:2], list(`userAgent:"phone"`, ""))
	require.Equal(t, sessions[:1], list(`clientAddress = "127.0.*" AND createTime < "2026-11-22T12:02:00Z"`, ""))
	require.Empty(t, list(`clientAddress = "10.*"`, ""))
	require.Equal(t, sessions[2:3], list(`lastUseTime > "2026-11-22T13:00:00Z"`, ""))
	require.Equal(t, sessions, list("", "createTime"))
	used := append(slices.Delete(slices.Clone(sessions), 2, 3), sessions[2])
	require.Equal(t, used, list("", "lastUseTime"))
	ending := slices.Insert(slices.Delete(slices.Clone(sessions), 2, 3), 0, sessions[2])
	require.Equal(t, ending, list("", "expireTime"))
	slices.Reverse(ending)
	require.Equal(t, ending, list("", "expireTime desc"))
	for field, request := range map[string]*identityv1.ListSessionsRequest{"filter": {Filter: `current = true`}, "orderBy": {OrderBy: "userAgent"}} {
		_, err := me.ListSessions(t.Context(), request)
		require.Equal(t, []string{field}, fieldsOf(t, err))
	}
}
