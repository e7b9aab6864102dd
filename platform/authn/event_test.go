package authn_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/errs"
)

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
