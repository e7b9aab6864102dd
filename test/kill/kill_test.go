// Package kill_test kills Braid with -9 at random moments while people work with it, or lets parts of it hang, and counts
// afterwards: everything that was acknowledged must be there, once, and nothing else. It speaks to the public port and the event topics as
// strangers do, and repairs nothing: what was killed is only started again, as a supervisor would; the PostgreSQL of the all-in-one form
// is not even that.
//
// BRAID_TEST_KILL=1 runs it. BRAID_TEST_KILL_COUNT, _POSTGRES_COUNT, _SPLIT_COUNT and _DISK_COUNT say how often, BRAID_TEST_KILL_DURATION
// (such as 1h, for each of the tests) says how long instead; make kill DURATION=1h also gives the tests the time for it.
// BRAID_TEST_KILL_SEED repeats the random choices of a run, BRAID_TEST_KILL_MAILBOX makes the mailbox smaller.
package kill_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/test/deployment"
)

// environment opens the limits of the gateway: the writers are six people in the haste of sixty. The mailbox keeps every
// mail of a short run, to be counted.
func environment(t *testing.T) []string {
	t.Helper()
	return []string{
		"BRAID_GATEWAY_AUTH_RATE=100000", "BRAID_GATEWAY_ADDRESS_RATE=1000000", "BRAID_GATEWAY_USER_RATE=1000000",
		"BRAID_NOTIFICATION_MAILBOX_MESSAGES=" + strconv.Itoa(mailboxSize(t)), "BRAID_NOTIFICATION_MAIL_WORKERS=16",
		"BRAID_ORGANIZATION_DELETION_GRACE=" + deletionGrace,
	}
}

// TestKillAllInOne kills the one process, now and then together with its PostgreSQL, and now and then while it starts.
func TestKillAllInOne(t *testing.T) {
	requireAsked(t)
	running, err := deployment.StartAllInOne(t.Context(), deployment.Options{Directory: makeDirectory(t), Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	connection, err := bus.ReadClientConfig(running.DataDir)
	require.NoError(t, err)
	runKills(t, running, connection, readPlan(t, "BRAID_TEST_KILL_COUNT", 100), killWhole)
}

// TestKillSplit kills each service, the gateway, the broker and PostgreSQL in turn, in whole rounds, so that each is killed
// equally often. Once in a round a process of Braid hangs.
func TestKillSplit(t *testing.T) {
	requireAsked(t)
	running, err := deployment.StartSplit(t.Context(), deployment.Options{Directory: makeDirectory(t), Environment: environment(t)})
	require.NoError(t, err)
	stopAtEnd(t, running)
	plan := readPlan(t, "BRAID_TEST_KILL_SPLIT_COUNT", 100)
	parts := len(running.Parts())
	plan.count = (plan.count + parts - 1) / parts * parts
	// With one of nine parts away at a time there is hardly a pause for the others: so many writes are enough.
	plan.thinking *= 3
	runKills(t, running, bus.Connection{Brokers: running.Brokers}, plan, killParts)
	t.Logf("killed were %v; there hung %s", plan.killed, strings.Join(plan.hung, ", "))
}

// requireAsked skips unless these tests were asked for. They run one after the other: each wants the whole machine.
func requireAsked(t *testing.T) {
	t.Helper()
	if os.Getenv("BRAID_TEST_KILL") != "1" {
		t.Skip("takes minutes: run make kill, which sets BRAID_TEST_KILL=1")
	}
}

// plan says how long to go on.
type plan struct {
	// count is how many kills there are, unless duration is set.
	count    int
	duration time.Duration
	random   *rand.Rand
	begun    time.Time
	// written returns how many writes were acknowledged so far.
	written func() int
	// thinking keeps the writers from being a load test: it is the mean pause between two writes of one person.
	thinking time.Duration
	// padding is how many bytes a new task is made heavier by.
	padding int
	// round are the parts that this round has still to kill, rounds how many have begun.
	round  []string
	rounds int
	// hung says what has hung for how long, killed counts the kills of each part.
	hung   []string
	killed map[string]int
}

func readPlan(t *testing.T, countVariable string, count int) *plan {
	t.Helper()
	p := &plan{count: readNumber(t, countVariable, count), thinking: thinking, begun: time.Now(), killed: map[string]int{}}
	var err error
	if text := os.Getenv("BRAID_TEST_KILL_DURATION"); text != "" {
		p.duration, err = time.ParseDuration(text)
		require.NoError(t, err, "BRAID_TEST_KILL_DURATION")
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("BRAID_TEST_KILL_SEED"); text != "" {
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "BRAID_TEST_KILL_SEED")
	}
	t.Logf("the same moments again: BRAID_TEST_KILL_SEED=%d", seed)
	p.random = rand.New(rand.NewPCG(seed, 1))
	return p
}

// readNumber reads a variable that may be missing.
func readNumber(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	number, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return number
}

// goesOn says whether there is another kill to be made.
func (p *plan) goesOn(kills int) bool {
	if p.duration > 0 {
		return time.Since(p.begun) < p.duration
	}
	return kills < p.count
}

// between is a random time.
func (p *plan) between(least, most time.Duration) time.Duration {
	return least + time.Duration(p.random.Int64N(int64(most-least)))
}

func (p *plan) oneIn(n int) bool { return p.random.IntN(n) == 0 }

// killWhole makes one kill of the all-in-one form and brings it back. It returns how many kills that were.
func killWhole(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error) {
	part := running.Parts()[0]
	_ = clock.Sleep(ctx, plan.between(50*time.Millisecond, 1200*time.Millisecond))
	if plan.oneIn(8) {
		// The machine's own end, as far as a process can be given it: the database goes with its master.
		if err := killPostmaster(filepath.Join(running.DataDir, "postgres", "data")); err != nil {
			return 0, err
		}
	}
	if err := running.Kill(part); err != nil {
		return 0, err
	}
	kills := 1
	for plan.oneIn(6) {
		// It dies again before it has come up.
		early, cancel := context.WithTimeout(ctx, plan.between(20*time.Millisecond, time.Second))
		_ = running.Start(early, part)
		cancel()
		if err := running.Kill(part); err != nil {
			return kills, err
		}
		kills++
	}
	return kills, running.Start(ctx, part)
}

// killParts kills the next part, one after the other in a new order each time round.
func killParts(ctx context.Context, running *deployment.Deployment, plan *plan) (int, error) {
	if len(plan.round) == 0 {
		plan.round = running.Parts()
		plan.random.Shuffle(len(plan.round), func(i, j int) { plan.round[i], plan.round[j] = plan.round[j], plan.round[i] })
		if err := hangPart(ctx, running, plan); err != nil {
			return 0, err
		}
		plan.rounds++
	}
	part := plan.round[0]
	plan.round = plan.round[1:]
	_ = clock.Sleep(ctx, plan.between(150*time.Millisecond, 700*time.Millisecond))
	if err := running.Kill(part); err != nil {
		return 0, fmt.Errorf("kill %s: %w", part, err)
	}
	plan.killed[part]++
	_ = clock.Sleep(ctx, plan.between(0, 500*time.Millisecond))
	if err := running.Start(ctx, part); err != nil {
		return 1, fmt.Errorf("start %s again: %w", part, err)
	}
	return 1, nil
}

// hangs are the processes that hang, one in each round. The gateway is the last: nobody can answer in its place, so that
// it must not be the one that hangs for long.
var hangs = []string{"identity", "organization", "workflow-1", "workflow-2", "notification", "audit", "gateway"}

// hangPart stops a process without ending it, as a machine that swaps or a long pause of its host does, and lets it go on.
// In the first round that is for longer than any request may take.
func hangPart(ctx context.Context, running *deployment.Deployment, plan *plan) error {
	part, lasting := hangs[plan.rounds%len(hangs)], plan.between(time.Second, 3*time.Second)
	if plan.rounds == 0 {
		part, lasting = hangs[plan.random.IntN(len(hangs)-1)], attemptTimeout+2*time.Second
	}
	pid := running.PID(part)
	if pid == 0 {
		return fmt.Errorf("%s does not run", part)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop %s: %w", part, err)
	}
	plan.hung = append(plan.hung, fmt.Sprintf("%s for %s", part, lasting.Round(100*time.Millisecond)))
	_ = clock.Sleep(ctx, lasting)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		return fmt.Errorf("let %s go on: %w", part, err)
	}
	return nil
}

// killPostmaster kills the server that the all-in-one form runs for itself.
func killPostmaster(data string) error {
	content, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid < 2 {
		return fmt.Errorf("postmaster.pid begins with %q", line)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// makeDirectory is not t.TempDir, whose parent the unprivileged PostgreSQL could not pass.
func makeDirectory(t *testing.T) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "braid-kill-")
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("left as it is: %s", directory)
			return
		}
		_ = os.RemoveAll(directory)
	})
	return directory
}

// shownLines is how many lines of trouble are printed of each log.
const shownLines = 6

func stopAtEnd(t *testing.T, running *deployment.Deployment) {
	t.Cleanup(func() {
		assert.NoError(t, running.Stop(), "everything stops cleanly")
		if !t.Failed() {
			return
		}
		for _, path := range running.Logs() {
			content, err := os.ReadFile(path)
			if err != nil {
				continue
			}
			var trouble []string
			for line := range strings.SplitSeq(strings.TrimSpace(string(content)), "\n") {
				if !strings.Contains(line, `"level":"INFO"`) && !strings.Contains(line, "unable to open connection to broker") {
					trouble = append(trouble, line[:min(300, len(line))])
				}
			}
			t.Logf("%s ends with this trouble:\n%s", path, strings.Join(trouble[max(0, len(trouble)-shownLines):], "\n"))
		}
	})
}
