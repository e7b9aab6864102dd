package kill_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

// killer makes the next kill, brings back what it killed, and returns how many kills that took.
type killer func(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error)

// runKills lets people work while kill does its own, and then looks at what is left.
func runKills(t *testing.T, running *deployment.Deployment, connection bus.Connection, plan *plan, kill killer) {
	tenants := prepare(t, running)
	ledger := newLedger()
	writers, remover := makeWriters(t, running, tenants, ledger, plan), makeRemover(t, running, tenants)
	plan.begun, plan.written = time.Now(), ledger.size

	lasting, abandon := context.WithCancel(t.Context())
	defer abandon()
	working, ctx := errgroup.WithContext(lasting)
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	for _, writer := range writers {
		working.Go(func() error { return writer.work(ctx, lasting) })
	}
	working.Go(func() error { return remover.work(ctx, lasting) })
	kills, silent := 0, 0
	var problem error
	for problem == nil && ctx.Err() == nil && plan.goesOn(kills) {
		var more int
		before := ledger.size()
		more, problem = kill(ctx, running, plan)
		kills += more
		if ledger.size() == before {
			silent++
		}
	}
	finish()
	if problem != nil {
		abandon() // What is not there can't answer.
	}
	written := working.Wait()
	took := time.Since(plan.begun)
	require.NoError(t, errors.Join(written, problem), "after %d kills", kills)
	remover.verify(t, running)
	sealPartitions(t, tenants, writers)

	found := look(t, running, connection, tenants, ledger, took)
	t.Logf("%d kills in %s, %d of them without a write since the one before: %d writes acknowledged in %d attempts; %d were unclear at first; %d had happened when they were repeated; %d logins",
		kills, took.Round(time.Second), silent, len(ledger.acknowledged), ledger.attempts, ledger.unclear, ledger.replayed, ledger.logins)
	found.report(t)
	// Without these the run would have shown nothing.
	require.LessOrEqual(t, silent, 1+kills/5, "the writers hardly got to write")
	require.Positive(t, ledger.unclear, "no kill has met a write")
	assert.Empty(t, ledger.violations[:min(20, len(ledger.violations))], "%d answers must never be given", len(ledger.violations))
	found.verify(t, tenants, ledger)
}

func makeWriters(t *testing.T, running *deployment.Deployment, tenants []*tenant, ledger *ledger, plan *plan) []*writer {
	t.Helper()
	var writers []*writer
	for i, tenant := range tenants {
		for j, person := range tenant.people {
			// A writer has a session of its own: the token is renewed without asking the others.
			session := *person
			speaker := client.New(running.URL, running.AdminURL)
			require.NoError(t, speaker.Login(t.Context(), &session))
			writers = append(writers, &writer{
				name: fmt.Sprintf("%c%d", 'a'+i, j), speaker: speaker, person: &session, tenant: tenant, ledger: ledger,
				thinking: plan.thinking, padding: plan.padding, random: rand.New(rand.NewPCG(plan.random.Uint64(), 2)),
			})
		}
	}
	return writers
}

// sealPartitions makes one last write in each organization, that a colleague is told of. Events of an organization are
// consumed in order: once that one has had its effects, so have all before it, and late doubles would be there as well.
func sealPartitions(t *testing.T, tenants []*tenant, writers []*writer) {
	t.Helper()
	for _, tenant := range tenants {
		last := slices.IndexFunc(writers, func(w *writer) bool { return w.tenant == tenant && w.person.ID == tenant.owner.ID })
		require.NoError(t, writers[last].create(t.Context(), tenant.people[2].ID))
	}
}
