package authn_test

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
)

// rotate makes another key, which identity has from now on; drop gives the ones before up.
func (w *world) rotate(t *testing.T, name string, drop bool) (token func() string) {
	t.Helper()
	key := newKey(t)
	w.change(func() {
		if drop {
			w.keys = map[string]ed25519.PublicKey{}
		}
		w.keys[name] = key.Public().(ed25519.PublicKey)
	})
	return func() string { return sign(t, jwt.SigningMethodEdDSA, key, authn.AccessTokenType, name, w.claims()) }
}

func (w *world) hearRotation(t *testing.T, dropped ...string) {
	t.Helper()
	message := &identityv1.SigningKeyRotated{DroppedKeyIds: dropped}
	payload, err := proto.Marshal(message)
	require.NoError(t, err)
	require.NoError(t, w.HandleEvent(bus.Event{
		Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: payload,
	}))
}

func (w *world) fetched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fetches
}

// Twenty made-up keys a second for five minutes.
func TestFloodOfMadeUpKeysCostsFewFetchesAndDelaysNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claims := w.claims()
	claims.ExpiresAt = jwt.NewNumericDate(w.clock.Now().Add(time.Hour))
	good := w.token(t, claims)
	_, err := w.AuthenticateUser(t.Context(), good)
	require.NoError(t, err)
	before := w.fetched()
	const minutes = 5
	for i := range minutes * 60 * 20 {
		w.clock.Advance(time.Second / 20)
		madeUp := sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, fmt.Sprintf("made-up-%d", i), claims)
		_, err := w.AuthenticateUser(t.Context(), madeUp)
		requireKind(t, err, errs.Unauthenticated)
		_, err = w.AuthenticateUser(t.Context(), good)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, w.fetched()-before, 12*minutes)
}

func TestGoodTokensDoNotWaitForAFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), good)
	require.NoError(t, err)
	w.clock.Advance(10 * time.Second)
	// Identity hangs on a question about a made-up key.
	hold := make(chan struct{})
	w.change(func() { w.hold = hold })
	refused := make(chan error, 1)
	go func() {
		_, err := w.AuthenticateUser(t.Context(), sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "made-up", w.claims()))
		refused <- err
	}()
	require.Eventually(t, func() bool { return w.fetched() == 2 }, 10*time.Second, time.Millisecond)
	for _, token := range []string{good, w.token(t, w.claims())} {
		_, err = w.AuthenticateUser(t.Context(), token)
		require.NoError(t, err)
	}
	// Not even when it is time to look for other keys.
	w.clock.Advance(time.Minute)
	_, err = w.AuthenticateUser(t.Context(), good)
	require.NoError(t, err)
	close(hold)
	requireKind(t, <-refused, errs.Unauthenticated)
}

func TestRotationIsHeardOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), old)
	require.NoError(t, err)
	next := w.rotate(t, "two", false)
	w.hearRotation(t)
	_, err = w.AuthenticateUser(t.Context(), next())
	require.NoError(t, err, "without the wait that made-up keys get")
	_, err = w.AuthenticateUser(t.Context(), old)
	require.NoError(t, err)
	require.Equal(t, 2, w.fetched())
}

// A process that heard nothing finds the next key before it signs, because it looks once a minute.
func TestKeysAreFetchedAgainInTimeForTheNextOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
	require.NoError(t, err)
	next := w.rotate(t, "two", false)
	for passed := time.Duration(0); passed < authn.KeyNotice; passed += 10 * time.Second {
		w.clock.Advance(10 * time.Second)
		_, err := w.AuthenticateUser(t.Context(), w.token(t, w.claims()))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return w.fetched() >= 2 }, 10*time.Second, time.Millisecond)
	w.change(func() { w.fetchFail = errDown })
	_, err = w.AuthenticateUser(t.Context(), next())
	require.NoError(t, err, "identity need not be asked any more")
}

func TestGivenUpKeyIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), old)
	require.NoError(t, err)
	next := w.rotate(t, "two", true)
	w.change(func() { w.fetchFail = errDown })
	w.hearRotation(t, "one")
	_, err = w.AuthenticateUser(t.Context(), old)
	requireKind(t, err, errs.Unavailable)
	w.change(func() { w.fetchFail = nil })
	w.clock.Advance(time.Second)
	_, err = w.AuthenticateUser(t.Context(), old)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), next())
	require.NoError(t, err)
}

// A process that may have missed the event asks, as it asks about sessions: never more than once a second.
func TestStaleProcessLooksForGivenUpKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), old)
	require.NoError(t, err)
	w.change(func() { w.fresh = false })
	for range 10 {
		w.clock.Advance(100 * time.Millisecond)
		_, err = w.AuthenticateUser(t.Context(), old)
		require.NoError(t, err)
	}
	require.Equal(t, 2, w.fetched())
	w.rotate(t, "two", true)
	w.clock.Advance(time.Second)
	_, err = w.AuthenticateUser(t.Context(), old)
	requireKind(t, err, errs.Unauthenticated)
}

func TestLostEventsMayHaveBeenRotations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.token(t, w.claims())
	_, err := w.AuthenticateUser(t.Context(), old)
	require.NoError(t, err)
	w.rotate(t, "two", true)
	w.Distrust(w.clock.Now())
	_, err = w.AuthenticateUser(t.Context(), old)
	requireKind(t, err, errs.Unauthenticated)
}
