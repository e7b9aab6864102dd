// Package module runs the parts of a process: it starts them in the order of their dependencies, says which are not
// ready, drains and stops them in the reverse order, and ends the whole when one of them fails.
//
// It owns the order and the deadlines. It knows nothing of what a part does, never restarts one (a supervisor outside
// the process does that, from a clean state), and handles no signals.
package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Part is one thing with a life of its own: a server, a pool, a consumer. Every hook may be nil.
//
// The life of a part is Start, then Run and Ready side by side, then Drain, then Stop. Drain and Stop are called only
// for a part whose Start has succeeded. A panic in a hook is a failure of the part.
type Part struct {
	// Name is unique in a Manager; it appears in errors, logs and /readyz.
	Name string
	// DependsOn names the parts that are started before this one and stopped after it.
	DependsOn []string
	// Optional says that the process can serve without the part: when it is not ready, the process is degraded.
	Optional bool
	// Start brings the part up and returns when others may depend on it. Its context ends when the process is told to
	// stop or the start takes too long; work that outlives Start belongs in Run.
	Start func(ctx context.Context) error
	// Run does the part's work until its context ends. To return earlier, with or without an error, is a failure,
	// except without an error after Drain has begun: a server that was shut down has nothing left to serve.
	Run func(ctx context.Context) error
	// Ready returns why the part can't serve just now, or nil. It is asked often and must not block.
	Ready func() error
	// Drain takes no new work and returns when the work in hand is finished or the context ends.
	Drain func(ctx context.Context)
	// Stop releases what Start took. Run's context has ended when it is called, but Run may not have returned yet.
	Stop func(ctx context.Context) error
}

// Options are the deadlines of a Manager. The zero value of a field means its default.
type Options struct {
	// StartTimeout bounds the start of all parts together; default 60 s.
	StartTimeout time.Duration
	// Grace is how long the process goes on serving after it has said that it is not ready, so that load balancers
	// stop sending before connections are refused; default none.
	Grace time.Duration
	// DrainTimeout bounds the draining of all parts together; default 10 s.
	DrainTimeout time.Duration
	// StopTimeout bounds the stopping of all parts together; default 10 s.
	StopTimeout time.Duration
}

func (o Options) withDefaults() Options {
	for _, field := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&o.StartTimeout, time.Minute},
		{&o.DrainTimeout, 10 * time.Second},
		{&o.StopTimeout, 10 * time.Second},
	} {
		if *field.value <= 0 {
			*field.value = field.fallback
		}
	}
	return o
}

// checkParts returns everything that is wrong with the set of parts: names that are missing or taken twice, unknown
// dependencies, and cycles, each named.
func checkParts(parts []*runner) error {
	var problems []error
	byName := make(map[string]*runner, len(parts))
	for _, part := range parts {
		switch {
		case part.Name == "":
			problems = append(problems, errors.New("a part has no name"))
		case byName[part.Name] != nil:
			problems = append(problems, fmt.Errorf("two parts are named %q", part.Name))
		default:
			byName[part.Name] = part
		}
	}
	for _, part := range parts {
		for _, name := range part.DependsOn {
			if byName[name] == nil {
				problems = append(problems, fmt.Errorf("part %q depends on %q, which is not there", part.Name, name))
			}
		}
	}
	if cycle := findCycle(parts, byName); cycle != nil {
		problems = append(problems, fmt.Errorf("parts depend on each other: %s", strings.Join(cycle, " → ")))
	}
	return errors.Join(problems...)
}

// findCycle returns the names along one cycle, the first repeated at the end, or nil.
func findCycle(parts []*runner, byName map[string]*runner) []string {
	const (
		unseen = iota
		open
		closed
	)
	state := make(map[string]int, len(parts))
	var path []string
	var visit func(part *runner) []string
	visit = func(part *runner) []string {
		switch state[part.Name] {
		case closed:
			return nil
		case open:
			return append(slices.Clone(path[slices.Index(path, part.Name):]), part.Name)
		}
		state[part.Name] = open
		path = append(path, part.Name)
		for _, name := range part.DependsOn {
			if next := byName[name]; next != nil {
				if cycle := visit(next); cycle != nil {
					return cycle
				}
			}
		}
		path = path[:len(path)-1]
		state[part.Name] = closed
		return nil
	}
	for _, part := range parts {
		if cycle := visit(part); cycle != nil {
			return cycle
		}
	}
	return nil
}
