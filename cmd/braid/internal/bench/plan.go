package bench

import (
	"fmt"
	"time"
)

// plan is how much is measured.
type plan struct {
	rounds int
	// bursts is how many rounds of creates there are: a floor that waits for the disk swings more than one that reads.
	bursts      int
	connections int
	restarts    int
	quiet       time.Duration
	// idle is how long an instance that does nothing is watched for what it holds in memory.
	idle time.Duration

	organizations int
	// tasks is how many each organization has.
	tasks  int
	people int
	// projects are the ones that tasks are created in.
	projects int

	warm      time.Duration
	read      time.Duration
	burst     time.Duration
	sustained time.Duration

	steady     time.Duration
	steadyRate int

	events int

	streams      int
	streamGroups int
	changes      time.Duration
	changeRate   int
}

var fullPlan = plan{
	rounds: 3, bursts: 5, connections: 32, restarts: 3, quiet: time.Second, idle: 5 * time.Second,
	organizations: 100, tasks: 1000, people: 10, projects: 32,
	warm: time.Second, read: 2 * time.Second, burst: 2 * time.Second, sustained: 8 * time.Second,
	steady: 10 * time.Second, steadyRate: 500, events: 100_000,
	streams: 1000, streamGroups: 50, changes: 6 * time.Second, changeRate: 100,
}

var smokePlan = plan{
	rounds: 1, bursts: 1, connections: 4, restarts: 1, quiet: 100 * time.Millisecond, idle: 300 * time.Millisecond,
	organizations: 4, tasks: 50, people: 2, projects: 4,
	warm: 100 * time.Millisecond, read: 200 * time.Millisecond, burst: 200 * time.Millisecond, sustained: 300 * time.Millisecond,
	steady: 500 * time.Millisecond, steadyRate: 50, events: 500,
	streams: 8, streamGroups: 2, changes: 500 * time.Millisecond, changeRate: 20,
}

// settingsLines say what a reader needs to run the same again.
func (p plan) settingsLines() []string {
	return []string{
		fmt.Sprintf("%d connections with keep-alive, %d rounds (%d of bursts), product and floor in turn within each, medians", p.connections, p.rounds, p.bursts),
		fmt.Sprintf("%d tasks in %d organizations, %d signed-in people, each in %d organizations", p.tasks*p.organizations, p.organizations, p.people, p.organizations/p.people),
		fmt.Sprintf("creates go to %d projects; a quarter of the sustained ones and all of the paced ones have an assignee, who has e-mail turned off", p.projects),
		fmt.Sprintf("%d streams over %d projects, %d changes a second among them", p.streams, p.streamGroups, p.changeRate),
		"`braid up` with its own PostgreSQL 18 and broker, fsync on, request log on (to a file), rate limits raised, everything else as it comes; services under their real roles with row-level security forced",
		"load generator, floors, PostgreSQL and Braid share the cores; floors run in a process of their own, under the same load generator, as a superuser without policies",
	}
}
