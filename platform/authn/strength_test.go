package authn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// strongWithout is a token of somebody who had no second factor when it was issued.
func (w *world) strongWithout(t *testing.T) (token string, userID id.ID) {
	t.Helper()
	claims := w.claims()
	claims.AMR, claims.ACR = []string{"pwd"}, call.StrongACR
	return w.token(t, claims), id.MustParse(claims.Subject)
}

func (w *world) strong(t *testing.T, token string) bool {
	t.Helper()
	actor, err := w.AuthenticateUser(t.Context(), token)
	require.NoError(t, err)
	return actor.Methods.Has(call.Strong)
}

// A token says that its person has no second factor for ten minutes: that is not believed once they have one.
func TestATokenOfBeforeTheFirstFactorIsNotStrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, userID := w.strongWithout(t)
	others, _ := w.strongWithout(t)
	adding := w.claims()
	adding.Subject, adding.AMR, adding.ACR = userID.String(), []string{"pwd"}, call.StrongACR
	adder := id.MustParse(adding.SessionID)
	addersToken := w.token(t, adding)
	require.True(t, w.strong(t, old))
	w.clock.Advance(time.Minute)
	added := &identityv1.FactorAdded{UserId: userID.String(), FactorId: id.New().String()}
	data, err := proto.Marshal(added)
	require.NoError(t, err)
	event := bus.Event{Type: bus.TypeOf(added), Schema: "braid.identity.v1.FactorAdded", Time: w.clock.Now(), Data: data}
	event.Actor.SessionID = adder
	require.NoError(t, w.HandleEvent(event))
	require.False(t, w.strong(t, old))
	require.True(t, w.strong(t, others))
	require.True(t, w.strong(t, addersToken), "it has shown the factor")

	proven := w.claims()
	proven.Subject, proven.AMR, proven.ACR = userID.String(), []string{"mfa", "otp", "pwd"}, call.StrongACR
	require.True(t, w.strong(t, w.token(t, proven)), "the factor was shown")
	w.clock.Advance(time.Minute)
	removed := w.claims()
	removed.Subject, removed.AMR, removed.ACR = userID.String(), []string{"pwd"}, call.StrongACR
	require.True(t, w.strong(t, w.token(t, removed)), "identity said so after the factor was added: it is gone again")
}

// A process that may not have heard of the factor asks identity, as about the session.
func TestAProcessThatIsNotFreshAsksAboutTheFactorToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, _ := w.strongWithout(t)
	w.change(func() { w.fresh, w.weak = false, true })
	require.False(t, w.strong(t, old))
}
