package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/clock"
)

// metric reads one of up's metrics, named as on the page, labels included.
func (r *run) metric(ctx context.Context, name string) (float64, error) {
	page, err := once(ctx, r.instance.admin, appendRequest(nil, "GET", "/metrics", "", ""))
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	for line := range strings.Lines(string(page)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// liveMemory is what up needs at this moment: heap and stacks in use right after a collection. What the process holds
// (residentMemory) says little of small differences, because freed pages stay with it for a while.
func (r *run) liveMemory(ctx context.Context) (int64, error) {
	if _, err := once(ctx, r.instance.admin, appendRequest(nil, "GET", "/debug/pprof/heap?gc=1", "", "")); err != nil {
		return 0, fmt.Errorf("collect garbage: %w", err)
	}
	var total float64
	for _, name := range []string{"go_memstats_heap_inuse_bytes", "go_memstats_stack_inuse_bytes"} {
		value, err := r.metric(ctx, name)
		if err != nil {
			return 0, err
		}
		total += value
	}
	return int64(total), nil
}

// measureIdle looks at the process that has started and does nothing, for as long as the plan says: the most it holds
// counts.
func (r *run) measureIdle(ctx context.Context) error {
	var most int64
	for until := time.Now().Add(r.idle); time.Now().Before(until); {
		if err := clock.Sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		most = max(most, residentMemory(r.instance.up.pid()))
	}
	r.report.add(row{work: "memory, idle", figure: megabytes(most), target: "≤ 120 MB", met: met(most <= 120<<20)})
	return nil
}

// measureMemory looks at the process after all that it went through, without a pause, and at the most it ever held.
func (r *run) measureMemory(context.Context) error {
	after, most := residentMemory(r.instance.up.pid()), mostMemory(r.instance.up.pid())
	r.report.add(row{work: "memory, after the bench", figure: megabytes(after), target: "≤ 300 MB", met: met(after <= 300<<20)})
	r.report.add(row{work: "· the most it held in between", figure: megabytes(most)})
	return nil
}

// profiled runs a load and, when profiles are wanted, has up write down meanwhile what its processor time goes to. The
// profile covers the middle of the load.
func (r *run) profiled(ctx context.Context, name string, duration time.Duration, load func() (outcome, error)) (outcome, error) {
	if r.Profile == "" || duration < 2*time.Second {
		return load()
	}
	done := make(chan error, 1)
	go func() { done <- r.writeProfile(ctx, name, duration-time.Second) }()
	result, err := load()
	if profileErr := <-done; err == nil {
		err = profileErr
	}
	return result, err
}

func (r *run) writeProfile(ctx context.Context, name string, duration time.Duration) error {
	if err := clock.Sleep(ctx, 500*time.Millisecond); err != nil {
		return err
	}
	if err := os.MkdirAll(r.Profile, 0o755); err != nil {
		return err
	}
	r.profiles++
	for _, kind := range []struct{ name, path string }{
		{"processor", fmt.Sprintf("profile?seconds=%d", int(duration.Seconds()))}, {"memory", "allocs"},
	} {
		profile, err := once(ctx, r.instance.admin, appendRequest(nil, "GET", "/debug/pprof/"+kind.path, "", ""))
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		path := filepath.Join(r.Profile, fmt.Sprintf("%s-%d.%s.pprof", name, r.profiles, kind.name))
		if err := os.WriteFile(path, profile, 0o644); err != nil {
			return err
		}
	}
	return nil
}
