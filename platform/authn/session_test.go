package authn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// leeway is what the clocks of identity, the broker and this process may differ by.
const leeway = 5 * time.Second

func TestEndedSessionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token := w.token(t, claims)
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.EndSession(id.MustParse(claims.SessionID))
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
	require.NoError(t, err, "other sessions go on")
}

// A process that may not have heard of everything asks, for each session once a second; without an answer it refuses.
func TestStaleProcessAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token, other := w.token(t, claims), w.token(t, w.claims())
	w.change(func() { w.fresh = false })
	for second := range 3 {
		for range 10 {
			_, err := w.AuthenticateUser(t.Context(), token)
			require.NoError(t, err)
			_, err = w.AuthenticateUser(t.Context(), other)
			require.NoError(t, err)
		}
		require.Equal(t, 2*(second+1), w.asked)
		w.clock.Advance(time.Second)
	}
	w.change(func() { w.askFail = errDown })
	for range 2 {
		_, err := w.AuthenticateUser(t.Context(), token)
		requireKind(t, err, errs.Unavailable)
	}
	require.Equal(t, 8, w.asked, "a failure is no answer")

	w.change(func() { w.askFail = nil; w.ended[id.MustParse(claims.SessionID)] = true })
	_, err := w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
	w.change(func() { w.fresh = true })
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
}

// What identity has said is good for a second from the question, so that a session that ends after it is refused in time.
func TestAnswerIsNotGoodForLongerThanASecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token := w.token(t, claims)
	// The clock moves while identity answers: that counts.
	w.change(func() { w.fresh, w.delay = false, 400*time.Millisecond })
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.change(func() { w.ended[id.MustParse(claims.SessionID)] = true })
	w.clock.Advance(599 * time.Millisecond)
	_, err = w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.clock.Advance(time.Millisecond)
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)

	// A clock that was set back makes no answer last.
	claims = w.claims()
	token = w.token(t, claims)
	_, err = w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.change(func() { w.ended[id.MustParse(claims.SessionID)] = true })
	w.clock.Advance(-2 * time.Second)
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
}

// A session that ends in this process is refused at once, whatever identity has said.
func TestEndCountsMoreThanAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token := w.token(t, claims)
	w.change(func() { w.fresh = false })
	_, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	w.EndSession(id.MustParse(claims.SessionID))
	_, err = w.AuthenticateUser(t.Context(), token)
	requireKind(t, err, errs.Unauthenticated)
}

// After a lost event identity is asked about the tokens that may be of the session that it ended, and about no others.
func TestDistrustIsOfTokensOlderThanWhatWasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asks := func(token string) bool {
		before := w.asked
		_, err := w.AuthenticateUser(t.Context(), token)
		require.NoError(t, err)
		return w.asked > before
	}
	issued := func(ago time.Duration) string {
		claims := w.claims()
		claims.IssuedAt.Time = claims.IssuedAt.Add(-ago)
		return w.token(t, claims)
	}
	undated := w.claims()
	undated.IssuedAt = nil
	require.NoError(t, w.Certain())
	require.Zero(t, w.distrustLeft(t))

	w.clock.Advance(3 * time.Minute)
	w.Distrust(w.clock.Now().Add(-time.Minute))
	require.True(t, asks(issued(2*time.Minute)))
	require.True(t, asks(issued(time.Minute-leeway)), "the clocks may differ")
	require.False(t, asks(issued(time.Minute-leeway-time.Second)))
	require.False(t, asks(w.token(t, w.claims())), "it was issued after what was lost")
	require.True(t, asks(w.token(t, undated)), "nobody knows when it was issued")
	require.ErrorContains(t, w.Certain(), "another 9m5s")
	require.InDelta(t, (9*time.Minute + leeway).Seconds(), w.distrustLeft(t), 0)

	w.Distrust(w.clock.Now().Add(-2 * time.Minute))
	require.True(t, asks(issued(time.Minute-leeway)), "an older loss takes nothing back")

	w.clock.Advance(9*time.Minute + leeway - time.Second)
	require.Error(t, w.Certain())
	w.clock.Advance(time.Second)
	require.NoError(t, w.Certain(), "the last token of then has expired")
	require.Zero(t, w.distrustLeft(t))
}

// A time that says nothing is taken for the worst: the present.
func TestDistrustOfAnUnknownTimeIsOfThePresent(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]func(now time.Time) time.Time{
		"none":        func(time.Time) time.Time { return time.Time{} },
		"Kafka's own": func(time.Time) time.Time { return time.UnixMilli(-1) },
		"zero":        func(time.Time) time.Time { return time.UnixMilli(0) },
		"to come":     func(now time.Time) time.Time { return now.Add(time.Hour) },
	} {
		w := newWorld(t)
		w.Distrust(lost(w.clock.Now()))
		_, err := w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
		require.NoError(t, err)
		require.Equal(t, 1, w.asked, name)
		require.InDelta(t, (authn.AccessTokenLife + leeway).Seconds(), w.distrustLeft(t), 0, name)
		w.clock.Advance(leeway + time.Second)
		_, err = w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
		require.NoError(t, err)
		require.Equal(t, 1, w.asked, name)
	}
}

// The check of a good token is on the way of every request, and costs no memory: neither while all is well nor while
// identity's last answer is good.
func TestCheckOfAKnownTokenAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	token := w.token(t, w.claims())
	for _, fresh := range []bool{true, false} {
		w.change(func() { w.fresh = fresh })
		authenticate := func() {
			if _, err := w.AuthenticateUser(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		authenticate()
		require.Zero(t, testing.AllocsPerRun(100, authenticate), "fresh: %t", fresh)
	}
}

// distrustLeft is what the gauge says.
func (w *world) distrustLeft(t *testing.T) float64 {
	t.Helper()
	families, err := w.registry.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() == "braid_authn_distrust_remaining_seconds" {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatal("there is no such gauge")
	return 0
}

func TestRevokedSessionsAreHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	token := w.token(t, claims)
	revoked := &identityv1.SessionRevoked{SessionId: claims.SessionID}
	data, err := proto.Marshal(revoked)
	require.NoError(t, err)
	event := bus.Event{Type: "identity.session.revoked", Schema: string(revoked.ProtoReflect().Descriptor().FullName()), Data: data}

	require.NoError(t, w.HandleEvent(bus.Event{Type: "identity.session.created", Data: data}), "others are none of its business")
	_, err = w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, w.HandleEvent(event))
		_, err = w.AuthenticateUser(t.Context(), token)
		requireKind(t, err, errs.Unauthenticated)
	}
	event.Data = nil
	require.Error(t, w.HandleEvent(event), "an event without a session is not taken for done")
}
