package outbox_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/testkit/bustest"
)

func TestAppendCarriesWhoDidItAndInWhichTrace(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.relay(t, bundle.DB, nil)
	organization := id.New()
	actor := call.Actor{Kind: call.User, UserID: id.New(), SessionID: id.New(), Service: "gateway", Token: "canary-token"}
	ctx := call.With(t.Context(), &call.Call{
		CorrelationID: "correlation-7", Actor: actor, ClientAddress: netip.MustParseAddr("192.0.2.9"), OrganizationID: organization,
	})
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled,
	})
	ctx = trace.ContextWithSpanContext(ctx, span)
	at := clock.NewManual(time.Date(2026, 5, 6, 7, 8, 9, 123456000, time.UTC))
	require.NoError(t, bundle.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		return outbox.Append(ctx, tx, at, event(organization, "hello"))
	}))
	bundle.requireDrained(t)
	events := bundle.published(t)
	require.Len(t, events, 1)
	got := events[0]
	actor.Token = ""
	require.Equal(t, actor, got.Actor)
	require.Equal(t, "correlation-7", got.CorrelationID)
	require.Equal(t, "192.0.2.9", got.ClientAddress)
	require.Equal(t, organization, got.OrganizationID)
	require.Equal(t, organization.String(), string(got.Key))
	require.Equal(t, at.Now(), got.Time)
	require.Equal(t, bustest.EventType, got.Type)
	require.Equal(t, "braid.test.v1.ThingHappened", got.Schema)
	require.Equal(t, "/braid/thing", got.Source)
	require.Equal(t, "things/1", got.Subject)
	require.Equal(t, "00-01020000000000000000000000000000-0300000000000000-01", got.TraceParent)
	require.Equal(t, "hello", bustest.TextOf(got.Data))
	require.False(t, got.ID.IsZero())
}

func TestAppendWithoutACallIsAnonymous(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.relay(t, bundle.DB, nil)
	commit(t, bundle.DB, outbox.Event{Message: bustest.NewMessage("alone")})
	bundle.requireDrained(t)
	got := bundle.published(t)[0]
	require.Equal(t, call.Actor{Kind: call.Anonymous}, got.Actor)
	require.Empty(t, got.Key)
	require.True(t, got.OrganizationID.IsZero())
}

func TestNothingIsPublishedOfATransactionThatWasRolledBack(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	bundle.relay(t, bundle.DB, nil)
	boom := errors.New("boom")
	require.ErrorIs(t, bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
		require.NoError(t, outbox.Append(ctx, tx, clock.System{}, event(id.New(), "never")))
		_, err := tx.Exec(ctx, `select 1`)
		require.NoError(t, err)
		return boom
	}), boom)
	commit(t, bundle.DB, event(id.New(), "after"))
	bundle.requireDrained(t)
	require.Equal(t, []string{"after"}, bundle.texts(t))
}

func TestAppendRefusesWhatTheRelayCouldNotPublish(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	for name, bad := range map[string]outbox.Event{
		"no event of the contract": {Message: &emptypb.Empty{}, Key: id.New()},
		"too large":                {Message: bustest.NewMessage(strings.Repeat("x", outbox.MaxPayload)), Key: id.New()},
		"a subject without end":    {Message: bustest.NewMessage("x"), Key: id.New(), Subject: strings.Repeat("x", 10_000)},
	} {
		err := bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			return outbox.Append(ctx, tx, clock.System{}, bad)
		})
		require.Error(t, err, name)
	}
	require.Zero(t, bundle.waiting(t))
}

func TestRequestsCanOnlyAppend(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	commit(t, bundle.DB, event(id.New(), "kept"))
	for _, statement := range []string{`select * from outbox`, `delete from outbox`, `update outbox set type = 'x'`, `truncate outbox`} {
		require.Error(t, bundle.DB.InTx(t.Context(), pg.Scope{}, func(ctx context.Context, tx *pg.Tx) error {
			_, err := tx.Exec(ctx, statement)
			return err
		}), statement)
	}
	require.Error(t, bundle.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		_, err := tx.Exec(ctx, `update outbox set type = 'x'`)
		return err
	}), "nobody changes an event")
	require.Equal(t, 1, bundle.waiting(t))
	require.NoError(t, bundle.DB.InWorkerTx(t.Context(), func(ctx context.Context, tx *pg.Tx) error {
		return outbox.Append(ctx, tx, clock.System{}, event(id.New(), "of a consumer"))
	}))
	require.Equal(t, 2, bundle.waiting(t))
}

func TestNewRelayKeepsToItsTopic(t *testing.T) {
	t.Parallel()
	bundle := setup(t)
	_, err := outbox.NewRelay(bundle.DB, bundle.broker.Connection(), outbox.RelayConfig{
		Service: service, Topic: bus.Topic{Name: "other.events"},
	}, clock.System{}, bustest.Logger(t), bundle.Registry)
	require.ErrorContains(t, err, "thing.events")
}
