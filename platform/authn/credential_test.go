package authn_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// vault is identity's word about credentials, which a test changes under the world's lock.
type vault struct {
	w        *world
	known    map[credential.Hash]authn.Credential
	ended    map[id.ID]bool
	verified int
	asked    int
	fail     error
}

func newVault(t testing.TB) (*world, *vault) {
	t.Helper()
	w := newWorld(t)
	v := &vault{w: w, known: map[credential.Hash]authn.Credential{}, ended: map[id.ID]bool{}}
	w.Credentials = v
	return w, v
}

func (v *vault) Verify(_ context.Context, hash credential.Hash) (authn.Credential, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.verified++
	known, ok := v.known[hash]
	if v.fail == nil && (!ok || v.ended[known.ID]) {
		return authn.Credential{}, errs.ErrNotFound
	}
	return known, v.fail
}

func (v *vault) Good(_ context.Context, credentialID, tokenID id.ID) (bool, error) {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.asked++
	return !v.ended[credentialID] && !v.ended[tokenID], v.fail
}

// key makes a key that is good for an hour.
func (v *vault) key() (string, authn.Credential) {
	secret := credential.New(credential.APIKey)
	hash, _ := credential.Check(secret)
	known := authn.Credential{
		ID: id.New(), Kind: call.ServiceAccount, OwnerID: id.New(), Expires: v.w.clock.Now().Add(time.Hour),
		Limits: &call.Limits{OrganizationID: id.New(), Scopes: call.NewScopes([]string{"workflow.*"})},
	}
	v.known[hash] = known
	return secret, known
}

func TestCredentialIsDescribedOnceInAWhile(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	secret, known := v.key()
	for range 5 {
		actor, err := w.AuthenticateUser(t.Context(), secret)
		require.NoError(t, err)
		require.Equal(t, call.Actor{Kind: call.ServiceAccount, UserID: known.OwnerID, CredentialID: known.ID, Limits: known.Limits, Token: secret}, actor)
	}
	require.Equal(t, 1, v.verified)
	w.clock.Advance(authn.AccessTokenLife / 2)
	_, err := w.AuthenticateUser(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, 2, v.verified)
	w.change(func() { v.fail = errDown })
	w.clock.Advance(authn.AccessTokenLife / 2)
	_, err = w.AuthenticateUser(t.Context(), secret)
	requireKind(t, err, errs.Unavailable)
	w.change(func() { v.fail = nil })
	w.clock.Advance(time.Hour)
	_, err = w.AuthenticateUser(t.Context(), secret)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), credential.New(credential.APIKey))
	requireKind(t, err, errs.Unauthenticated)
}

func TestEndedCredentialIsRefusedAsSoonAsItIsHeardOf(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	for eventType, message := range map[string]func(id string) proto.Message{
		"identity.api_key.revoked":      func(id string) proto.Message { return &identityv1.ApiKeyRevoked{KeyId: id} },
		"identity.access_token.revoked": func(id string) proto.Message { return &identityv1.AccessTokenRevoked{AccessTokenId: id} },
		"identity.api_key.rotated": func(id string) proto.Message {
			return &identityv1.ApiKeyRotated{KeyId: id, ExpireTime: timestamppb.New(w.clock.Now())}
		},
		"identity.access_token.rotated": func(id string) proto.Message {
			return &identityv1.AccessTokenRotated{AccessTokenId: id, ExpireTime: timestamppb.New(w.clock.Now())}
		},
	} {
		secret, known := v.key()
		_, err := w.AuthenticateUser(t.Context(), secret)
		require.NoError(t, err)
		require.NoError(t, w.hear(t, eventType, message(known.ID.String())))
		_, err = w.AuthenticateUser(t.Context(), secret)
		requireKind(t, err, errs.Unauthenticated)
	}
}

func TestRotatedCredentialIsGoodForTheOverlap(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	secret, known := v.key()
	_, err := w.AuthenticateUser(t.Context(), secret)
	require.NoError(t, err)
	rotated := &identityv1.ApiKeyRotated{KeyId: known.ID.String(), ExpireTime: timestamppb.New(w.clock.Now().Add(time.Minute))}
	require.NoError(t, w.hear(t, "identity.api_key.rotated", rotated))
	w.clock.Advance(time.Minute - time.Microsecond)
	_, err = w.AuthenticateUser(t.Context(), secret)
	require.NoError(t, err)
	w.clock.Advance(time.Microsecond)
	_, err = w.AuthenticateUser(t.Context(), secret)
	requireKind(t, err, errs.Unauthenticated)
}

func (w *world) hear(t *testing.T, eventType string, message proto.Message) error {
	t.Helper()
	data, err := proto.Marshal(message)
	require.NoError(t, err)
	return w.HandleEvent(bus.Event{Type: eventType, Schema: string(message.ProtoReflect().Descriptor().FullName()), Data: data})
}

// A process that may not have heard of every end asks, at most once a second for each; without an answer it refuses.
func TestStaleProcessAsksAboutCredentials(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	secret, known := v.key()
	issued, tokenID := w.machineToken(t, known)
	for _, text := range []string{secret, issued} {
		_, err := w.AuthenticateUser(t.Context(), text)
		require.NoError(t, err)
	}
	w.change(func() { w.fresh = false })
	for range 3 {
		for range 5 {
			for _, text := range []string{secret, issued} {
				_, err := w.AuthenticateUser(t.Context(), text)
				require.NoError(t, err)
			}
		}
		w.clock.Advance(time.Second)
	}
	require.Equal(t, 6, v.asked)
	w.change(func() { v.fail = errDown })
	for _, text := range []string{secret, issued} {
		_, err := w.AuthenticateUser(t.Context(), text)
		requireKind(t, err, errs.Unavailable)
	}
	w.change(func() { v.fail, v.ended[tokenID] = nil, true })
	_, err := w.AuthenticateUser(t.Context(), issued)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), secret)
	require.NoError(t, err, "the key goes on")
	w.change(func() { v.ended[known.ID] = true })
	w.clock.Advance(time.Second)
	_, err = w.AuthenticateUser(t.Context(), secret)
	requireKind(t, err, errs.Unauthenticated)
	w.change(func() { w.fresh = true })
	_, err = w.AuthenticateUser(t.Context(), secret)
	requireKind(t, err, errs.Unauthenticated)
}

// machineToken is a token that was issued for a key.
func (w *world) machineToken(t testing.TB, key authn.Credential) (string, id.ID) {
	t.Helper()
	claims, tokenID := w.machineClaims(key)
	return w.token(t, claims), tokenID
}

func (w *world) machineClaims(key authn.Credential) (*authn.Claims, id.ID) {
	tokenID := id.New()
	claims := w.claims()
	claims.SessionID, claims.Subject, claims.ID = "", key.OwnerID.String(), tokenID.String()
	claims.MachineClaims = authn.MachineClaims{
		ClientID: key.OwnerID.String(), OrganizationID: key.Limits.OrganizationID.String(), KeyID: key.ID.String(), MakerID: id.New().String(), Scope: "workflow.task.read",
	}
	return claims, tokenID
}

func TestIssuedTokenEndsWithItsKeyAndByItself(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	_, known := v.key()
	text, tokenID := w.machineToken(t, known)
	sister, _ := w.machineToken(t, known)
	actor, err := w.AuthenticateUser(t.Context(), text)
	require.NoError(t, err)
	require.Equal(t, known.OwnerID, actor.UserID)
	require.Equal(t, known.ID, actor.CredentialID)
	require.True(t, actor.Limits.Scopes.Hold("workflow.task.read"))
	require.False(t, actor.Limits.Scopes.Hold("workflow.task.create"))
	require.NoError(t, w.hear(t, "identity.oauth_token.revoked", &identityv1.OauthTokenRevoked{TokenId: tokenID.String()}))
	_, err = w.AuthenticateUser(t.Context(), text)
	requireKind(t, err, errs.Unauthenticated)
	_, err = w.AuthenticateUser(t.Context(), sister)
	require.NoError(t, err)
	require.NoError(t, w.hear(t, "identity.api_key.revoked", &identityv1.ApiKeyRevoked{KeyId: known.ID.String()}))
	_, err = w.AuthenticateUser(t.Context(), sister)
	requireKind(t, err, errs.Unauthenticated)
}

// A token is a person's or a machine's, and one whose limits can't be read is nobody's.
func TestHalfAMachinesTokenIsNone(t *testing.T) {
	t.Parallel()
	w, v := newVault(t)
	_, known := v.key()
	for name, change := range map[string]func(*authn.Claims){
		"a session besides":       func(c *authn.Claims) { c.SessionID = id.New().String() },
		"another subject":         func(c *authn.Claims) { c.Subject = id.New().String() },
		"no organization":         func(c *authn.Claims) { c.OrganizationID = "" },
		"no key":                  func(c *authn.Claims) { c.KeyID = "" },
		"no name of its own":      func(c *authn.Claims) { c.ID = "" },
		"no time of issue":        func(c *authn.Claims) { c.IssuedAt = nil },
		"networks that are none":  func(c *authn.Claims) { c.Networks = []string{"everywhere"} },
		"no client but a session": func(c *authn.Claims) { c.ClientID = "" },
		"somebody else's":         func(c *authn.Claims) { c.Audience = jwt.ClaimStrings{"workflow"} },
	} {
		claims, _ := w.machineClaims(known)
		change(claims)
		_, err := w.AuthenticateUser(t.Context(), w.token(t, claims))
		require.Error(t, err, name)
		require.Equal(t, errs.Unauthenticated, errs.KindOf(err), name)
	}
}

// The check of a machine's credential is on the way of its every request.
func TestCheckOfAKnownCredentialTakesHardlyAnyMemory(t *testing.T) {
	w, v := newVault(t)
	secret, known := v.key()
	issued, _ := w.machineToken(t, known)
	ctx := call.With(t.Context(), &call.Call{ClientAddress: netip.MustParseAddr("127.0.0.1")})
	for text, most := range map[string]float64{secret: 1, issued: 0} {
		authenticate := func() {
			if _, err := w.AuthenticateUser(ctx, text); err != nil {
				t.Fatal(err)
			}
		}
		authenticate()
		require.LessOrEqual(t, testing.AllocsPerRun(100, authenticate), most, "a key's checksum takes a copy of it")
	}
}
