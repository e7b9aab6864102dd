package identity_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/services/identity"
	"github.com/braidhq/braid/services/identity/internal/app"
	"github.com/braidhq/braid/services/identity/internal/token"
)

func (h *harness) signingKeys() *identity.SigningKeys {
	return identity.OpenSigningKeys(h.database.DB, h.material.keys, h.clock)
}

// rotation is the upkeep of one more process.
func (h *harness) rotation(lifetime time.Duration) *app.Rotation {
	return &app.Rotation{
		Keys: h.signingKeys(), Issuer: token.NewIssuer(h.database.DB, h.material.keys, h.clock), Lifetime: lifetime,
		Logger: slog.New(slog.DiscardHandler),
	}
}

// keyOf names the key that a token was signed with.
func keyOf(t *testing.T, accessToken string) string {
	t.Helper()
	keyID, err := readKeyID(accessToken)
	require.NoError(t, err)
	return keyID
}

func readKeyID(accessToken string) (string, error) {
	parsed, _, err := jwt.NewParser().ParseUnverified(accessToken, jwt.MapClaims{})
	if err != nil {
		return "", err
	}
	keyID, _ := parsed.Header["kid"].(string)
	return keyID, nil
}

func (h *harness) published() (keyIDs []string) {
	h.t.Helper()
	set, err := h.auth.GetJwks(h.t.Context(), &identityv1.GetJwksRequest{})
	require.NoError(h.t, err)
	for _, key := range set.GetKeys() {
		keyIDs = append(keyIDs, key.GetKid())
	}
	return keyIDs
}

// rotations are the events of rotations, in order.
func (h *harness) rotations() (rotations []*identityv1.SigningKeyRotated) {
	h.t.Helper()
	for _, event := range h.events() {
		if rotated, ok := event.message.(*identityv1.SigningKeyRotated); ok {
			require.Equal(h.t, "signing-key/"+rotated.GetKeyId(), event.subject)
			rotations = append(rotations, rotated)
		}
	}
	return rotations
}

// hear gives a process an event, as its broadcast reader does.
func (h *harness) hear(message proto.Message) {
	h.t.Helper()
	payload, err := proto.Marshal(message)
	require.NoError(h.t, err)
	require.NoError(h.t, h.authenticator.HandleEvent(bus.Event{
		Type: bus.TypeOf(message), Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: payload,
	}))
}

func TestSigningKeyRotatesOnSchedule(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.signUp("ada@example.com")
	old := h.signIn("ada@example.com").GetAccessToken()
	const lifetime = 24 * time.Hour
	first, second := h.rotation(lifetime), h.rotation(lifetime)
	both := func() {
		var group sync.WaitGroup
		for _, rotation := range []*app.Rotation{first, second} {
			group.Go(func() {
				if err := rotation.Once(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	h.clock.Advance(lifetime - authn.KeyNotice - time.Second)
	both()
	require.Len(t, h.published(), 1, "it is not time yet")

	h.clock.Advance(time.Second)
	both()
	require.Len(t, h.published(), 2, "one of the processes has made one key")
	next := h.published()[0]
	rotations := h.rotations()
	require.Len(t, rotations, 1)
	require.Equal(t, next, rotations[0].GetKeyId())
	require.Equal(t, identityv1.SigningKeyRotated_SCHEDULE, rotations[0].GetCause())
	require.Equal(t, h.clock.Now().Add(authn.KeyNotice), rotations[0].GetSignTime().AsTime())
	require.Empty(t, rotations[0].GetDroppedKeyIds())

	h.clock.Advance(authn.KeyNotice - time.Second)
	late := h.signIn("ada@example.com").GetAccessToken()
	require.Equal(t, keyOf(t, old), keyOf(t, late), "nobody signs with a key that some may not have seen")
	h.clock.Advance(time.Second)
	require.Equal(t, next, keyOf(t, h.signIn("ada@example.com").GetAccessToken()), "without a restart")

	h.clock.Advance(authn.AccessTokenLife - 2*time.Second)
	both()
	require.True(t, h.active(late), "a token of the old key is good until it expires")
	h.clock.Advance(authn.ImpersonationLife - authn.AccessTokenLife + time.Minute)
	require.Len(t, h.published(), 1, "then nothing needs the old key any more")
	both()
	require.Equal(t, 1, h.count(`select count(*) from signing_key`), "and its row goes")
	require.Len(t, h.rotations(), 1)
}

func TestRotationOnCommandWaitsForTheVerifiers(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	made, err := h.signingKeys().Rotate(t.Context())
	require.NoError(t, err)
	again, err := h.signingKeys().Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, made.ID, again.ID, "one key waits already")
	require.Len(t, h.rotations(), 1)
	require.Equal(t, identityv1.SigningKeyRotated_COMMAND, h.rotations()[0].GetCause())
	listed, err := h.signingKeys().List(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 2)
	require.Equal(t, made.SignsFrom.Add(authn.ImpersonationLife+2*authn.ClockLeeway), listed[1].VerifiesUntil)
	h.clock.Advance(authn.KeyNotice)
	third, err := h.signingKeys().Rotate(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, made.ID, third.ID)
	listed, err = h.signingKeys().List(t.Context())
	require.NoError(t, err)
	require.Equal(t, made.SignsFrom.Add(authn.ImpersonationLife+2*authn.ClockLeeway), listed[2].VerifiesUntil, "an end is not put off")
}

func TestEmergencyRotationEndsEveryAccessToken(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	other := h.twin(testConfig())
	h.signUp("ada@example.com")
	login := h.signIn("ada@example.com")
	_, err := h.signingKeys().Rotate(t.Context())
	require.NoError(t, err)
	for _, process := range []*harness{h, other} {
		_, err := process.me(login.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.NoError(t, err)
	}
	before := h.published()
	made, err := h.signingKeys().RotateNow(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{made.ID}, h.published(), "the key that waited is given up as well")
	rotated := h.rotations()[1]
	require.Equal(t, identityv1.SigningKeyRotated_EMERGENCY, rotated.GetCause())
	require.ElementsMatch(t, before, rotated.GetDroppedKeyIds())
	for _, process := range []*harness{h, other} {
		process.hear(rotated)
		_, err := process.me(login.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.Equal(t, "TOKEN_INVALID", reasonOf(t, err), "although it was cached")
	}
	// Each process looks every second; here the clock makes it look.
	h.clock.Advance(time.Minute)
	refreshed, err := other.refresh(login.GetRefreshToken())
	require.NoError(t, err, "the session goes on")
	require.Equal(t, made.ID, keyOf(t, refreshed.GetAccessToken()))
	for _, process := range []*harness{h, other} {
		_, err := process.me(refreshed.GetAccessToken()).GetMe(t.Context(), &identityv1.GetMeRequest{})
		require.NoError(t, err)
	}
}

// Ten rotations in two processes, while people sign in, refresh, and use each token in the process that did not make it:
// no request may fail.
func TestNothingFailsWhileKeysRotate(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	const people, rotations = 4, 10
	processes := []*harness{h, h.twin(testConfig())}
	upkeep := h.rotation(30 * 24 * time.Hour)
	for person := range people {
		h.signUp(fmt.Sprintf("person-%d@example.com", person))
	}
	ctx, stop := context.WithCancel(t.Context())
	var requests atomic.Int64
	var seen sync.Map
	var group sync.WaitGroup
	for person := range people {
		group.Go(func() {
			live := rotating{processes: processes, email: fmt.Sprintf("person-%d@example.com", person), seen: &seen}
			for turn := 0; ctx.Err() == nil; turn++ {
				if err := live.turn(t.Context(), turn); err != nil {
					t.Errorf("turn %d: %v", turn, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	step := func(duration time.Duration) {
		reached := requests.Load()
		require.Eventually(t, func() bool { return t.Failed() || requests.Load() >= reached+people }, 20*time.Second, time.Millisecond)
		h.clock.Advance(duration)
	}
	for range rotations {
		_, err := h.signingKeys().Rotate(t.Context())
		require.NoError(t, err)
		for range 10 {
			step(authn.KeyNotice / 8)
		}
		step(authn.AccessTokenLife / 2)
		require.NoError(t, upkeep.Once(t.Context()))
	}
	stop()
	group.Wait()
	signers := 0
	seen.Range(func(any, any) bool { signers++; return true })
	require.Equal(t, rotations+1, signers, "every key has signed")
	h.clock.Advance(authn.ImpersonationLife + time.Minute)
	require.NoError(t, upkeep.Once(t.Context()))
	require.Equal(t, 1, h.count(`select count(*) from signing_key`))
	t.Log(requests.Load(), "turns")
}

// rotating is a person who goes on working.
type rotating struct {
	processes []*harness
	email     string
	seen      *sync.Map

	access, refresh string
}

func (r *rotating) turn(ctx context.Context, turn int) error {
	maker, user := r.processes[turn%2], r.processes[(turn+1)%2]
	if turn%8 == 0 {
		login, err := maker.auth.Login(ctx, &identityv1.LoginRequest{Email: r.email, Password: goodPassword})
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		r.access, r.refresh = login.GetAccessToken(), login.GetRefreshToken()
	} else {
		refreshed, err := maker.auth.Refresh(ctx, &identityv1.RefreshRequest{RefreshToken: r.refresh})
		if err != nil {
			return fmt.Errorf("refresh: %w", err)
		}
		r.access, r.refresh = refreshed.GetAccessToken(), refreshed.GetRefreshToken()
	}
	keyID, err := readKeyID(r.access)
	if err != nil {
		return err
	}
	r.seen.Store(keyID, true)
	if _, err := user.me(r.access).GetMe(ctx, &identityv1.GetMeRequest{}); err != nil {
		return fmt.Errorf("use: %w", err)
	}
	return nil
}
