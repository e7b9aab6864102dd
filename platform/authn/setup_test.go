package authn_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an identity service that a test controls, and the authenticators of a process beside it.
type world struct {
	*authn.Authenticator
	workflow *authn.ServiceAuthenticator
	clock    *clock.Manual
	key      ed25519.PrivateKey
	gateway  ed25519.PrivateKey

	registry *prometheus.Registry

	mu        sync.Mutex
	fresh     bool
	keys      map[string]ed25519.PublicKey
	fetches   int
	fetchFail error
	// hold is what a fetch waits for, if anything.
	hold  chan struct{}
	ended map[id.ID]bool
	// weak says that sessions lack a factor that their people have.
	weak    bool
	asked   int
	askFail error
	// delay is how long identity takes to answer, by the clock.
	delay time.Duration
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		clock: clock.NewManual(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)), key: newKey(t), gateway: newKey(t),
		registry: prometheus.NewRegistry(), fresh: true, ended: map[id.ID]bool{},
	}
	w.keys = map[string]ed25519.PublicKey{"one": w.key.Public().(ed25519.PublicKey)}
	authenticator, err := authn.New(authn.Config{
		UserKeys:    w.fetch,
		ServiceKeys: map[string]authn.ServiceKey{"gateway-1": {Service: "gateway", Key: w.gateway.Public().(ed25519.PublicKey)}},
		SessionLive: w.live,
		Fresh: func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.fresh
		},
		Clock: w.clock, Logger: slog.New(slog.DiscardHandler), Registerer: w.registry,
	})
	require.NoError(t, err)
	w.Authenticator = authenticator
	w.workflow, err = authenticator.For("workflow")
	require.NoError(t, err)
	return w
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return key
}

func (w *world) fetch(context.Context) (map[string]ed25519.PublicKey, error) {
	w.mu.Lock()
	w.fetches++
	keys, err, hold := maps.Clone(w.keys), w.fetchFail, w.hold
	w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return keys, err
}

func (w *world) live(_ context.Context, sessionID id.ID) (authn.SessionState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.clock.Advance(w.delay)
	return authn.SessionState{Live: !w.ended[sessionID], Weak: w.weak}, w.askFail
}

// change alters the world under its lock.
func (w *world) change(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// claims are those of a good access token.
func (w *world) claims() *authn.Claims {
	now := w.clock.Now()
	return &authn.Claims{SessionID: id.New().String(), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: authn.Issuer, Audience: jwt.ClaimStrings{authn.Audience}, Subject: id.New().String(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(authn.AccessTokenLife)),
	}}
}

// sign makes a token with a header; key may be of another sort than the method wants.
func sign(t testing.TB, method jwt.SigningMethod, key any, kind, keyID string, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	token.Header["typ"] = kind
	if keyID != "" {
		token.Header["kid"] = keyID
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}

func (w *world) token(t testing.TB, claims jwt.Claims) string {
	return sign(t, jwt.SigningMethodEdDSA, w.key, authn.AccessTokenType, "one", claims)
}

var errDown = errors.New("down")

func requireKind(t testing.TB, err error, kind errs.Kind) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, kind, errs.KindOf(err), err)
}
