package identity_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/testkit/pgtest"
)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
	newer   = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0"
	safari  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)

// using sends requests as a program that names itself so.
type using struct {
	client    *http.Client
	userAgent string
}

func (u using) Do(request *http.Request) (*http.Response, error) {
	request.Header.Set("User-Agent", u.userAgent)
	return u.client.Do(request)
}

func (h *harness) signInWith(email, userAgent string) *identityv1.LoginResponse {
	h.t.Helper()
	auth := identityv1connect.NewAuthServiceClient(using{h.client, userAgent}, h.url)
	response, err := auth.Login(h.t.Context(), &identityv1.LoginRequest{Email: email, Password: goodPassword})
	require.NoError(h.t, err)
	return response
}

func (h *harness) sessions(accessToken string) identityv1connect.SessionServiceClient {
	return identityv1connect.NewSessionServiceClient(h.as(accessToken), h.url)
}

// revoked are the ends of sessions that events tell of.
func (h *harness) revoked() (revoked []*identityv1.SessionRevoked) {
	h.t.Helper()
	for _, event := range h.events() {
		if message, ok := event.message.(*identityv1.SessionRevoked); ok {
			revoked = append(revoked, message)
		}
	}
	return revoked
}

func TestSessionsNameTheirDevices(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signInWith("ada@example.com", safari)
	h.clock.Advance(time.Minute)
	token := h.signInWith("ada@example.com", firefox).GetAccessToken()
	page, err := h.me(token).ListSessions(t.Context(), &identityv1.ListSessionsRequest{})
	require.NoError(t, err)
	require.Len(t, page.GetSessions(), 2)
	current, other := page.GetSessions()[0], page.GetSessions()[1]
	require.True(t, current.GetCurrent())
	require.Equal(t, []string{"Firefox on Windows", "Firefox", firefox, "127.0.0.1"},
		[]string{current.GetDevice(), current.GetClient(), current.GetUserAgent(), current.GetClientAddress()})
	require.Equal(t, h.clock.Now().Add(90*24*time.Hour), current.GetEndTime().AsTime())
	require.Equal(t, "Safari on iPhone", other.GetDevice())
	page, err = h.me(token).ListSessions(t.Context(), &identityv1.ListSessionsRequest{Filter: `device:"iPhone" AND client = "Safari"`})
	require.NoError(t, err)
	require.Len(t, page.GetSessions(), 1)
}

func TestSessionEndsHoweverMuchItIsUsed(t *testing.T) {
	t.Parallel()
	config := testConfig()
	config.SessionIdleLifetime, config.SessionLifetime = 48*time.Hour, 72*time.Hour
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	h := assemble(t, database, database.DB, config)
	h.signUp("ada@example.com")
	begun := h.clock.Now()
	login := h.signIn("ada@example.com")
	refresh, access := login.GetRefreshToken(), login.GetAccessToken()
	for range 2 {
		h.clock.Advance(24*time.Hour - time.Second)
		refreshed, err := h.refresh(refresh)
		require.NoError(t, err)
		refresh, access = refreshed.GetRefreshToken(), refreshed.GetAccessToken()
	}
	page, err := h.me(access).ListSessions(t.Context(), &identityv1.ListSessionsRequest{})
	require.NoError(t, err)
	require.Equal(t, begun.Add(72*time.Hour), page.GetSessions()[0].GetExpireTime().AsTime(), "idling no longer counts")
	require.Equal(t, begun.Add(72*time.Hour), page.GetSessions()[0].GetEndTime().AsTime())
	h.clock.Advance(24*time.Hour + 2*time.Second)
	_, err = h.refresh(refresh)
	require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
}

func TestAllOthersEndAtOnce(t *testing.T) {
	t.Parallel()
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	wire, url := pgtest.Tap(t, database.URL)
	h := assemble(t, database, pgtest.OpenDB(t, pg.Config{Service: "identity", URL: url}, prometheus.NewRegistry()), testConfig())
	h.signUp("ada@example.com")
	h.signUp("ben@example.com")
	bens := h.signIn("ben@example.com")
	mine := h.signIn("ada@example.com").GetAccessToken()
	var statements []int
	for _, others := range []int{1, 12} {
		var logins []*identityv1.LoginResponse
		for range others {
			logins = append(logins, h.signIn("ada@example.com"))
		}
		before := len(h.revoked())
		var response *identityv1.RevokeOtherSessionsResponse
		executed := wire.During(func() {
			var err error
			response, err = h.sessions(mine).RevokeOtherSessions(t.Context(), &identityv1.RevokeOtherSessionsRequest{})
			require.NoError(t, err)
		})
		count := 0
		for _, statement := range executed {
			if strings.Contains(statement.SQL, "delete from session") {
				count++
			}
		}
		statements = append(statements, count)
		require.EqualValues(t, others, response.GetRevokedCount())
		ended := map[string]bool{}
		for _, event := range h.revoked()[before:] {
			require.Equal(t, identityv1.SessionRevoked_ENDED_WITH_OTHERS, event.GetReason())
			ended[event.GetSessionId()] = true
		}
		require.Len(t, ended, others)
		for _, login := range logins {
			_, err := h.me(login.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
			require.Equal(t, "TOKEN_INVALID", reasonOf(t, err))
			_, err = h.refresh(login.GetRefreshToken())
			require.Equal(t, "REFRESH_TOKEN_INVALID", reasonOf(t, err))
		}
	}
	require.Equal(t, []int{1, 1}, statements, "twelve are not twelve times the work")
	for _, token := range []string{mine, bens.GetAccessToken()} {
		_, err := h.me(token).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.NoError(t, err)
	}
}

func TestAllSessionsEndAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	h.signUp("ben@example.com")
	bens, first, second := h.signIn("ben@example.com"), h.signIn("ada@example.com"), h.signIn("ada@example.com")
	status, answer := h.rest(http.MethodPost, "/api/v1/me/sessions:revokeAll", second.GetAccessToken(), "{}")
	require.Equal(t, http.StatusOK, status, "%v", answer)
	require.EqualValues(t, 2, answer["revokedCount"])
	for _, login := range []*identityv1.LoginResponse{first, second} {
		_, err := h.me(login.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, err))
	}
	_, err := h.me(bens.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
	require.NoError(t, err)
}

func TestLeastRecentlyUsedSessionMakesRoom(t *testing.T) {
	t.Parallel()
	config := testConfig()
	config.SessionsPerUser = 3
	database := pgtest.Open(t, "identity", identity.Migrations()...)
	h := assemble(t, database, database.DB, config)
	h.signUp("ada@example.com")
	var logins []*identityv1.LoginResponse
	for range 3 {
		h.clock.Advance(time.Second)
		logins = append(logins, h.signIn("ada@example.com"))
	}
	h.clock.Advance(time.Second)
	// The oldest is used, so the second is the one not used for the longest time.
	_, err := h.refresh(logins[0].GetRefreshToken())
	require.NoError(t, err)
	require.Empty(t, h.revoked())
	h.clock.Advance(time.Second)
	h.signIn("ada@example.com")
	require.Len(t, h.revoked(), 1)
	require.Equal(t, identityv1.SessionRevoked_TOO_MANY_SESSIONS, h.revoked()[0].GetReason())
	for i, login := range logins {
		_, err := h.me(login.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.Equal(t, i == 1, err != nil, "session %d: %v", i, err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := h.login("ada@example.com", goodPassword); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	require.Equal(t, 3, h.count(`select count(*) from session`), "however many come at once")
}

func TestNewDeviceIsTold(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	user := h.signUp("ada@example.com")
	h.signUp("ben@example.com")
	added := func() (added []*identityv1.DeviceAdded) {
		for _, event := range h.events() {
			if message, ok := event.message.(*identityv1.DeviceAdded); ok {
				require.Equal(t, message.GetUserId(), event.key.String())
				added = append(added, message)
			}
		}
		return added
	}
	h.signInWith("ada@example.com", firefox)
	require.Empty(t, added(), "the first of all is nobody else's")
	h.signInWith("ada@example.com", newer)
	require.Empty(t, added(), "a program that was updated is no new device")
	h.signInWith("ben@example.com", safari)
	h.signInWith("ada@example.com", safari)
	h.signInWith("ada@example.com", safari)
	require.Len(t, added(), 1)
	event := added()[0]
	require.Equal(t, "Safari on iPhone", event.GetDevice())
	require.Equal(t, user.GetId(), event.GetUserId())

	devices := identityv1connect.NewDeviceServiceClient(bearer{h.client, func() (string, error) {
		return h.material.signer.Token("identity")
	}}, h.url)
	mail, err := devices.GetNewDeviceMail(t.Context(), &identityv1.GetNewDeviceMailRequest{UserId: user.GetId(), DeviceId: event.GetDeviceId()})
	require.NoError(t, err)
	require.Equal(t, []string{"ada@example.com", "Ada", "Safari on iPhone", "127.0.0.1"},
		[]string{mail.GetEmail(), mail.GetDisplayName(), mail.GetDevice(), mail.GetClientAddress()})
	require.Equal(t, h.clock.Now(), mail.GetFirstSeenTime().AsTime())
	_, err = devices.GetNewDeviceMail(t.Context(), &identityv1.GetNewDeviceMailRequest{UserId: id.New().String(), DeviceId: event.GetDeviceId()})
	require.Equal(t, "NOT_FOUND", reasonOf(t, err), "of nobody else")
}

func TestDevicesAreBounded(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	for i := range 105 {
		h.signInWith("ada@example.com", fmt.Sprintf("program-%d/1.0", i))
		h.clock.Advance(time.Second)
	}
	require.Equal(t, 100, h.count(`select count(*) from seen_device`))
	require.Equal(t, 1, h.count(`select count(*) from seen_device where name = 'program-104'`), "the youngest stay")
}
