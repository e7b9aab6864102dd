package idempotency_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
)

// identity is what a key is a key of.
type identity struct {
	actor, organization id.ID
	method, key         string
	// number tells requests without a key apart: each is one of its own.
	number int
}

// ending is how the work of an attempt ends.
type ending string

const (
	succeeds ending = "succeeds"
	// refuses fails after its effect, vanishes is left by its caller after its effect.
	refuses  ending = "refuses"
	vanishes ending = "vanishes"
)

var errRefused = errors.New("refused")

// attempt is one request, and what came of it.
type attempt struct {
	identity identity
	body     string
	ending   ending
	// shared says that its transaction may be shared with others.
	shared bool

	// effect names what it does, should its work be run and kept.
	effect   string
	answer   string
	replayed bool
	err      error
}

// kept is an answer that the model knows of.
type kept struct {
	answer, body string
	expires      time.Time
}

// model is what must be so.
type model struct {
	*bench
	answers map[identity]kept
	// effects are all that there must be.
	effects []string
	// run begins the names of this model's effects.
	run string
}

// send makes a request. It is called from several goroutines at once.
func (m *model) send(ctx context.Context, request *attempt) {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	work := call.Call{
		Procedure: request.identity.method, OrganizationID: request.identity.organization,
		Actor:          call.Actor{Kind: call.User, UserID: request.identity.actor},
		IdempotencyKey: request.identity.key, IdempotencyHash: []byte(request.body),
	}
	runner := m.Runner
	if request.shared {
		// The same request always names the same share: what it works on is in its body.
		runner = runner.Sharing(shares[request.body])
	}
	task, err := idempotency.Run(call.With(ctx, &work), runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Task, error) {
		_, err := tx.Exec(ctx, `insert into effect values ($1)`, request.effect)
		switch {
		case err != nil:
			return nil, err
		case request.ending == refuses:
			return nil, errRefused
		case request.ending == vanishes:
			leave()
			return nil, ctx.Err()
		}
		return &workflowv1.Task{Title: request.effect}, nil
	})
	request.answer, request.replayed, request.err = task.GetTitle(), work.Replayed, err
}

// shares are by body.
var shares = map[string]id.ID{"one": id.New(), "other": id.New()}

// settle holds requests that ran at the same time against the model, and takes over what they have changed.
func (m *model) settle(t *rapid.T, requests []*attempt) {
	there := m.effectsOf(t)
	made := map[identity]*attempt{}
	for _, request := range requests {
		if slices.Contains(there, request.effect) {
			require.Nil(t, made[request.identity], "two effects of one key: %+v", request)
			made[request.identity] = request
			m.effects = append(m.effects, request.effect)
		}
	}
	require.ElementsMatch(t, m.effects, there)
	for _, request := range requests {
		before, stored := m.answers[request.identity]
		stored = stored && before.expires.After(m.clock.Now())
		if stored {
			require.Nil(t, made[request.identity], "an effect although there is an answer: %+v", request)
		}
		judge(t, request, made[request.identity], before, stored)
	}
	for identity, request := range made {
		m.answers[identity] = kept{answer: request.effect, body: request.body, expires: m.clock.Now().Add(idempotency.Lifetime)}
	}
}

// judge says whether an outcome may be: made is whose effect was kept now, before what was stored already.
func judge(t *rapid.T, request, made *attempt, before kept, stored bool) {
	answer, body := before.answer, before.body
	if made != nil {
		answer, body = made.effect, made.body
	}
	switch {
	case request.err == nil && !request.replayed:
		require.Same(t, request, made, "an answer without the effect")
		require.Equal(t, request.effect, request.answer)
		require.Equal(t, succeeds, request.ending)
	case request.err == nil:
		require.True(t, stored || made != nil, "the replay of nothing: %+v", request)
		require.NotSame(t, request, made)
		require.Equal(t, body, request.body, "an answer to another request: %+v", request)
		require.Equal(t, answer, request.answer)
	case errs.From(request.err).Reason == "IDEMPOTENCY_KEY_REUSED":
		require.True(t, stored || made != nil, "the key was free: %+v", request)
		require.NotEqual(t, body, request.body)
	case request.ending == refuses:
		require.ErrorIs(t, request.err, errRefused)
		require.False(t, stored, "the work was run although there is an answer: %+v", request)
	default:
		require.Equal(t, vanishes, request.ending, "%+v", request)
		require.False(t, stored, "the work was run although there is an answer: %+v", request)
	}
}

func drawAttempt(t *rapid.T, actors, organizations []id.ID) *attempt {
	return &attempt{
		identity: identity{
			actor:        rapid.SampledFrom(actors).Draw(t, "actor"),
			organization: rapid.SampledFrom(organizations).Draw(t, "organization"),
			method:       rapid.SampledFrom([]string{"/Create", "/Assign"}).Draw(t, "method"),
			key:          rapid.SampledFrom([]string{"first", "first", "second", ""}).Draw(t, "key"),
		},
		body:   rapid.SampledFrom(slices.Sorted(maps.Keys(shares))).Draw(t, "body"),
		ending: rapid.SampledFrom([]ending{succeeds, succeeds, refuses, vanishes}).Draw(t, "ending"),
		shared: rapid.Bool().Draw(t, "shared"),
	}
}

// effectsOf lists what is there of this model.
func (m *model) effectsOf(t *rapid.T) (names []string) {
	rows, err := m.Admin.Query(context.Background(), `select name from effect where starts_with(name, $1)`, m.run)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, rows.Err())
	return names
}

// Whoever asks, in whatever order and at the same time, with failures between: each key has at most one effect while its
// answer is kept, everybody gets that answer, and another request with the key is refused.
func TestEachKeyHasOneEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var runs atomic.Int64
	outcomes := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{bench: b, answers: map[identity]kept{}, run: fmt.Sprintf("run %d ", runs.Add(1))}
		actors, organizations := []id.ID{id.New(), id.New()}, []id.ID{{}, id.New()}
		batches := rapid.IntRange(1, 12).Draw(rt, "batches")
		for batch := range batches {
			requests := make([]*attempt, rapid.IntRange(1, 8).Draw(rt, "requests at once"))
			for i := range requests {
				requests[i] = drawAttempt(rt, actors, organizations)
				requests[i].effect = fmt.Sprint(m.run, batch, " ", i)
				if requests[i].identity.key == "" {
					requests[i].identity.number = 100*batch + i + 1
				}
			}
			var sending sync.WaitGroup
			for _, request := range requests {
				sending.Go(func() { m.send(t.Context(), request) })
			}
			sending.Wait()
			m.settle(rt, requests)
			for _, request := range requests {
				outcomes[outcome(request)]++
			}
			b.clock.Advance(rapid.SampledFrom([]time.Duration{0, time.Hour, idempotency.Lifetime / 2, idempotency.Lifetime}).Draw(rt, "time"))
			if rapid.Bool().Draw(rt, "purge") {
				_, err := b.Purge(t.Context())
				require.NoError(rt, err)
			}
		}
	})
	for _, name := range []string{"made", "replayed", "reused", "refused", "vanished"} {
		require.Positive(t, outcomes[name], "%v: the run has shown nothing", outcomes)
	}
}

func outcome(request *attempt) string {
	switch {
	case request.replayed && request.err == nil:
		return "replayed"
	case request.err == nil:
		return "made"
	case errors.Is(request.err, errRefused):
		return "refused"
	case strings.Contains(request.err.Error(), "used before"):
		return "reused"
	default:
		return "vanished"
	}
}
