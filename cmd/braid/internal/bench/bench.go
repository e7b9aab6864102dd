// Package bench measures a Braid that it starts itself against floors that do the same with as little as possible, on
// the same machine and in the same minute: only their ratio says something on a machine that others use too. It knows
// the public API, the commands of the binary, and the tables it fills; it reaches into no running part. The floors need
// a bare driver, which is why this package, alone outside the stores, may use pgx.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/braidhq/braid/platform/clock"
)

// Config says how to run.
type Config struct {
	// Binary is the braid to measure: this one.
	Binary string
	// Version is what the report calls it.
	Version string
	// Directory is where the data goes, on the disk whose speed counts; a temporary one when empty.
	Directory string
	// Report is the file the report of a whole run is written to; none when empty.
	Report string
	// Smoke makes it small: it runs everything, asserts that nothing fails, and judges no time.
	Smoke bool
	// Only keeps a part of the measurements, for work on one of them.
	Only []string
	// Profile is a directory for profiles of the product under each load; none when empty.
	Profile string
	Out     io.Writer
}

// Longest times of a whole run.
const (
	fullLimit  = 5 * time.Minute
	smokeLimit = 55 * time.Second
)

// run is one run of the benchmark.
type run struct {
	Config
	plan
	directory string
	started   time.Time

	instance *instance
	people   []*person
	// visitors sign in over and over.
	visitors []*person
	stock    *stock
	floor    *floorProcess
	database *databases
	report   report
	// baseline is how far the consumers were at first, extra how many events came into the outbox past the API.
	baseline progress
	extra    int
	profiles int
}

// Run measures, prints the table and writes the report. It fails when something that was measured did not work, not when
// it was slow.
func Run(ctx context.Context, config Config) error {
	r := &run{Config: config, plan: fullPlan, started: time.Now()}
	limit := fullLimit
	if config.Smoke {
		r.plan, limit = smokePlan, smokeLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := r.prepareDirectory(); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(r.directory) }()
	err := r.measure(ctx)
	if stopErr := r.stop(); err == nil {
		err = stopErr
	}
	if err != nil {
		return errors.Join(err, r.instance.lastWords())
	}
	r.report.took = time.Since(r.started)
	if _, err := io.WriteString(config.Out, r.report.table()); err != nil {
		return err
	}
	if config.Smoke || config.Report == "" || len(config.Only) > 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(config.Report), 0o755); err != nil {
		return err
	}
	return os.WriteFile(config.Report, []byte(r.report.markdown()), 0o644)
}

// prepareDirectory makes a directory of our own that the unprivileged PostgreSQL can pass through.
func (r *run) prepareDirectory() error {
	directory, err := os.MkdirTemp(r.Directory, "braid-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the data: %w", err)
	}
	r.directory = directory
	return os.Chmod(directory, 0o755)
}

// measure is the whole run, in order. What needs quiet comes first, what leaves much behind last.
func (r *run) measure(ctx context.Context) error {
	r.report.machine = describeMachine(r.directory)
	r.report.settings = r.settingsLines()
	r.report.version, r.report.judged = r.Version, !r.Smoke
	watch := watchMachine()
	if err := r.describeQuiet(ctx); err != nil {
		return err
	}
	unsettled := false
	for _, step := range []struct {
		name string
		do   func(context.Context) error
		// besides says that it makes events that no create has caused.
		besides bool
	}{
		{name: "start", do: r.measureStart},
		{name: "seed", do: r.seed},
		{name: "watch", do: r.measureWatch},
		{name: "read", do: r.measureReads},
		{name: "access", do: r.measureAccess, besides: true},
		{name: "removal", do: r.measureRemoval, besides: true},
		{name: "login", do: r.measureLogin, besides: true},
		{name: "refresh", do: r.measureRefresh, besides: true},
		{name: "unknown", do: r.measureUnknown, besides: true},
		{name: "write", do: r.measureWrites},
		{name: "sustained", do: r.measureSustained},
		{name: "steady", do: r.measureSteady},
		{name: "drain", do: r.measureDrain},
		{name: "visible", do: r.measureVisible},
		{name: "delete", do: r.measureDeletion},
		{name: "memory", do: r.measureMemory},
	} {
		if !r.wants(step.name) && !(step.name == "read" && r.wantsRead()) {
			continue
		}
		if unsettled && !step.besides {
			if err := r.takeBaseline(ctx); err != nil {
				return err
			}
		}
		unsettled = step.besides
		began := time.Now()
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		r.say("%s done in %s", step.name, time.Since(began).Round(100*time.Millisecond))
	}
	r.report.during = watch.since()
	return nil
}

// wants reports whether a step is to be done; what the others need is always done.
func (r *run) wants(step string) bool {
	if len(r.Only) == 0 || step == "start" || step == "seed" {
		return true
	}
	return slices.Contains(r.Only, step)
}

// wantsRead reports whether one of the reads is asked for by its own name.
func (r *run) wantsRead() bool {
	return slices.ContainsFunc(r.Only, func(only string) bool { return slices.Contains(reads, only) })
}

// describeQuiet looks at what the cores do while nothing of ours runs.
func (r *run) describeQuiet(ctx context.Context) error {
	watch := watchMachine()
	if err := clock.Sleep(ctx, r.quiet); err != nil {
		return err
	}
	r.report.before = watch.since()
	return nil
}

func (r *run) stop() error {
	r.database.close()
	return errors.Join(r.floor.stop(), r.instance.stop())
}

func (r *run) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(r.Out, "  %6.1fs  "+format+"\n", append([]any{time.Since(r.started).Seconds()}, arguments...)...)
}
