package authz_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// keyholders are a service account and who made its key, in one organization.
type keyholders struct {
	*authz.Access
	organization, robot, maker id.ID
	holds                      map[id.ID]authz.Answer
	fault                      error
}

func newKeyholders(t *testing.T) *keyholders {
	t.Helper()
	k := &keyholders{organization: id.New(), robot: id.New(), maker: id.New()}
	k.holds = map[id.ID]authz.Answer{k.robot: answerWith(read, write), k.maker: answerWith(read, write)}
	var err error
	k.Access, err = authz.New(authz.Config{
		Source: func(_ context.Context, _, subjectID id.ID, _ int64) (authz.Answer, error) {
			if subjectID == k.maker && k.fault != nil {
				return authz.Answer{}, k.fault
			}
			return k.holds[subjectID], nil
		},
		Fresh: func() bool { return true }, Clock: clock.NewManual(time.Now()),
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(t, err)
	return k
}

// calling is a request with the key.
func (k *keyholders) calling(t *testing.T, makerID id.ID) context.Context {
	return call.With(t.Context(), &call.Call{
		Procedure: "/braid.workflow.v1.TaskService/GetTask", ClientAddress: netip.MustParseAddr("203.0.113.9"),
		Actor: call.Actor{Kind: call.ServiceAccount, UserID: k.robot, Limits: &call.Limits{OrganizationID: k.organization, MakerID: makerID}},
	})
}

// reason asks both ways and says why not; the empty one is a yes.
func (k *keyholders) reason(t *testing.T, ctx context.Context, permission string) string {
	t.Helper()
	err := k.Authorize(ctx, k.organization, k.robot, permission)
	_, byResource := k.AuthorizeResource(ctx, k.organization, k.robot, permission, rpc.Asked{Resource: call.Resource{Type: "task"}})
	if err == nil {
		require.NoError(t, byResource)
		return ""
	}
	require.Equal(t, errs.From(err).Reason, errs.From(byResource).Reason)
	return errs.From(err).Reason
}

func TestAKeyIsGoodForWhatItsMakerHolds(t *testing.T) {
	t.Parallel()
	k := newKeyholders(t)
	ctx := k.calling(t, k.maker)
	for range 2 {
		require.Empty(t, k.reason(t, ctx, write))
	}
	for name, held := range map[string]authz.Answer{
		"lost the permission": answerWith(read),
		"was suspended":       {Member: true, Suspended: true},
		"has left":            {},
	} {
		k.holds[k.maker] = held
		k.Clear()
		require.Equal(t, "KEY_EXCEEDS_MAKER", k.reason(t, ctx, write), "the maker %s", name)
	}
	k.holds[k.maker] = answerWith(read)
	k.Clear()
	require.Empty(t, k.reason(t, ctx, read), "what the maker still holds is good")
	require.Equal(t, "KEY_EXCEEDS_MAKER", k.reason(t, ctx, write))
	require.Empty(t, k.reason(t, k.calling(t, id.ID{}), write), "a person's own token has no maker")

	k.holds[k.robot], k.holds[k.maker] = answerWith(read), answerWith(read, write)
	k.Clear()
	require.Equal(t, "PERMISSION_DENIED", k.reason(t, ctx, write), "the maker gives the service account nothing")
}

// Where nobody can tell what the maker holds, nobody is let in.
func TestAKeyWhoseMakerCannotBeAskedAboutIsRefused(t *testing.T) {
	t.Parallel()
	k := newKeyholders(t)
	k.fault = errors.New("the organization service is away")
	requireKind(t, k.Authorize(k.calling(t, k.maker), k.organization, k.robot, read), errs.Unavailable)
}
