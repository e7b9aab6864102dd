package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/pg/embedded"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
	"github.com/braidhq/braid/testkit/dnstest"
	"github.com/braidhq/braid/testkit/pgtest"
)

// What goes on behind requests may fall into a measurement, and only ever adds to it; two costs that differ this many
// times in a row differ.
const costTries = 5

// TestForeignAndMissingCostTheSame calls every RPC of the contract that takes an id, found in the descriptors, with
// another organization's and with one that nobody has, and counts what that costs: the statements that requests
// execute, in every service, the calls between services, and the password hashes. Times could tell what answers don't.
func TestForeignAndMissingCostTheSame(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts the whole product")
	}
	m := startMeasured(t)
	a, b := m.tenant(t, "a"), m.tenant(t, "b")
	methods := catalog(t)
	checkReferences(t, methods, a)
	absent := missing(a.resources)
	m.settle(t, a)
	compared, reading := 0, 0
	for _, method := range methods {
		var stranger tenant
		for _, way := range strangers(method, a, b, absent) {
			shared := examples()
			delete(shared, "all") // Naming notifications excludes it.
			foreign, none := makeRequest(t, method, shared.with(way.foreign)), makeRequest(t, method, shared.with(way.none))
			if reflect.DeepEqual(foreign, none) {
				continue // It takes no id of another's.
			}
			if stranger.owner == nil {
				// One each: whoever is denied over and over is asked about less.
				stranger = b
				stranger.owner = m.signUp(t, "Stranger")
				m.join(t, b.path, b.owner, stranger.owner, "owner")
			}
			compared++
			if cost := m.compare(t, stranger.owner, method, way.name, foreign, none); len(cost) > 0 {
				reading++
			}
		}
	}
	assert.Greater(t, compared, 30)
	assert.Greater(t, reading, compared/2, "most can only be refused after a look")
}

// measured is a running Braid whose database is behind a wire.
type measured struct {
	*suite
	wire *pgtest.Wire
}

func startMeasured(t *testing.T) *measured {
	directory := makeDirectory(t)
	require.NoError(t, os.Chmod(directory, 0o755), "the unprivileged PostgreSQL must be able to pass through")
	server, err := embedded.Start(t.Context(), embedded.Config{
		DataDir: filepath.Join(directory, "server"), Volatile: true, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop(context.WithoutCancel(t.Context()))) })
	wire, url := pgtest.Tap(t, server.SuperuserURL("postgres"))
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{
		Directory: directory, Environment: append([]string{"BRAID_DATABASE_URL=" + url}, generousLimits...),
	})
	if err != nil {
		printLogs(t, findLogs(t, directory))
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, running.Stop()) })
	return &measured{suite: &suite{Client: client.New(running.URL, running.AdminURL), running: running, names: dnstest.Start(t)}, wire: wire}
}

// compare lets both requests cost the same, and returns what that is.
func (m *measured) compare(t *testing.T, who *client.Person, method *rpc.Method, way string, foreign, none request) map[string]int {
	// The first of each fills the caches that everybody's requests fill.
	m.cost(t, who, foreign)
	m.cost(t, who, none)
	var costs [2]map[string]int
	for range costTries {
		costs = [2]map[string]int{m.cost(t, who, foreign), m.cost(t, who, none)}
		if maps.Equal(costs[0], costs[1]) {
			return costs[0]
		}
	}
	t.Errorf("%s, %s: a foreign resource costs other than a missing one (-foreign +missing):\n%s",
		method.Procedure, way, cmp.Diff(costs[0], costs[1]))
	return nil
}

// cost is what a request costs, by what it is spent on.
func (m *measured) cost(t *testing.T, who *client.Person, r request) map[string]int {
	cost := map[string]int{}
	before := m.counters(t)
	for _, statement := range m.wire.During(func() {
		if r.method.Path == "" {
			m.sendConnect(t, who, r)
			return
		}
		m.send(t, who, r)
	}) {
		// Relays, consumers and jobs work as another role.
		if statement.Role == pg.AppRole(statement.Database) {
			cost[statement.Database+": "+statement.SQL]++
		}
	}
	for name, value := range m.counters(t) {
		if spent := value - before[name]; spent != 0 {
			cost[name] = int(spent)
		}
	}
	return cost
}

// counted are the metrics of what a request may cost beside statements.
var counted = []string{"braid_rpc_client_tries_total{", "braid_authz_owner_questions_total{", "braid_identity_password_hash_seconds_count"}

// counters reads the metrics that count costs, by name and labels.
func (m *measured) counters(t *testing.T) map[string]float64 {
	values := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(m.adminPage(t, "/metrics")))
	for lines.Scan() {
		if slices.ContainsFunc(counted, func(prefix string) bool { return strings.HasPrefix(lines.Text(), prefix) }) {
			end := strings.LastIndexByte(lines.Text(), ' ')
			var value float64
			_, err := fmt.Sscan(lines.Text()[end+1:], &value)
			require.NoError(t, err)
			values[lines.Text()[:end]] = value
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(values), len(counted)-1)
	return values
}
