package rpc

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/braidhq/braid/gen/go/braid/options/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
)

func TestLoginsMustBeRecentAndStrong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	chain, err := NewChain(ChainConfig{Clock: clock.NewManual(now), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	require.NoError(t, err)
	const asked = 10 * time.Minute
	for name, test := range map[string]struct {
		step    StepUp
		age     time.Duration
		methods call.Methods
		good    bool
	}{
		"nothing asked":      {StepUp{}, 24 * time.Hour, 0, true},
		"recent":             {StepUp{MaxAge: asked}, asked, call.Password, true},
		"too old":            {StepUp{MaxAge: asked}, asked + time.Second, call.Password | call.Strong, false},
		"strong":             {StepUp{asked, true}, asked, call.Password | call.Strong, true},
		"not strong":         {StepUp{asked, true}, 0, call.Password | call.SeveralFactors, false},
		"strong and too old": {StepUp{asked, true}, asked + time.Second, call.Strong, false},
	} {
		err := chain.requireStepUp(&Method{StepUp: test.step}, &call.Actor{AuthTime: now.Add(-test.age), Methods: test.methods})
		require.Equal(t, test.good, err == nil, name)
		require.True(t, test.good || errs.From(err).Reason == stepUpReason, name)
	}
	require.Error(t, chain.requireStepUp(&Method{StepUp: StepUp{MaxAge: 1000 * 24 * time.Hour}}, &call.Actor{Methods: call.Strong}),
		"a token that does not say when is of no time")
}

func TestStepUpIsForUsersAndHasATime(t *testing.T) {
	t.Parallel()
	options := func(step *optionsv1.StepUp) *descriptorpb.MethodOptions {
		options := &descriptorpb.MethodOptions{}
		proto.SetExtension(options, optionsv1.E_StepUp, step)
		return options
	}
	good := &optionsv1.StepUp{MaxAge: 60, Factor: true}
	for rule, may := range map[Rule]bool{Public: false, Internal: false, Authenticated: true, Organization: true} {
		method := &Method{Rule: rule}
		require.Equal(t, may, method.readStepUp(options(good)) == nil, rule)
		require.Equal(t, may, method.StepUp == StepUp{time.Minute, true}, rule)
	}
	require.Error(t, (&Method{Rule: Authenticated}).readStepUp(options(&optionsv1.StepUp{Factor: true})))
	require.NoError(t, (&Method{Rule: Public}).readStepUp(&descriptorpb.MethodOptions{}))
}
