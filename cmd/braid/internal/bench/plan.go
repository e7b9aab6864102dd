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

	// visitors are the people who sign in over and over, loginConnections how many of them at a time.
	visitors, loginConnections int
	// otherRate is what others ask in a second while something heavy goes on.
	otherRate int
	// samples are how often each sort of address is tried.
	samples int

	decisions   int
	roleChanges int
	removals    int
	// manyProjects are those of an organization that somebody sees five of.
	manyProjects int
	// doomed are the rows of an organization that is deleted, deletion is how long that is looked at.
	doomed   int
	deletion time.Duration
}

var fullPlan = plan{
	rounds: 3, bursts: 5, connections: 32, restarts: 3, quiet: time.Second, idle: 5 * time.Second,
	organizations: 100, tasks: 1000, people: 10, projects: 32,
	warm: time.Second, read: 2 * time.Second, burst: 2 * time.Second, sustained: 8 * time.Second,
	steady: 10 * time.Second, steadyRate: 500, events: 100_000,
	streams: 1000, streamGroups: 50, changes: 6 * time.Second, changeRate: 100,
	visitors: 4, loginConnections: 16, otherRate: 500, samples: 40,
	decisions: 100_000, roleChanges: 100, removals: 100, manyProjects: 100_000,
	doomed: 1_000_000, deletion: 15 * time.Second,
}

var smokePlan = plan{
	rounds: 1, bursts: 1, connections: 4, restarts: 1, quiet: 100 * time.Millisecond, idle: 300 * time.Millisecond,
	organizations: 4, tasks: 50, people: 2, projects: 4,
	warm: 100 * time.Millisecond, read: 200 * time.Millisecond, burst: 200 * time.Millisecond, sustained: 300 * time.Millisecond,
	steady: 500 * time.Millisecond, steadyRate: 50, events: 500,
	streams: 8, streamGroups: 2, changes: 500 * time.Millisecond, changeRate: 20,
	visitors: 2, loginConnections: 2, otherRate: 50, samples: 4,
	decisions: 1000, roleChanges: 5, removals: 3, manyProjects: 500,
	doomed: 2000, deletion: 5 * time.Second,
}

// settingsLines say what a reader needs to run the same again.
func (p plan) settingsLines() []string {
	return []string{
		fmt.Sprintf("%d connections with keep-alive, %d rounds (%d of bursts), product and floor in turn within each, medians", p.connections, p.rounds, p.bursts),
		fmt.Sprintf("%d tasks in %d organizations, %d signed-in people, each in %d organizations", p.tasks*p.organizations, p.organizations, p.people, p.organizations/p.people),
		fmt.Sprintf("creates go to %d projects; a quarter of the sustained ones and all of the paced ones have an assignee, who has e-mail turned off", p.projects),
		fmt.Sprintf("%d streams over %d projects, %d changes a second among them", p.streams, p.streamGroups, p.changeRate),
		fmt.Sprintf("%d visitors log in on known devices over %d connections, the floor hashes as many at once as Braid does; a removal counts from its request on; the organization that is deleted is looked at for %s", p.visitors, p.loginConnections, p.deletion),
		fmt.Sprintf("access:check asks for a permission in one project of one who holds it by one assignment: %d steps of inheritance and the assignment, each with a condition, among %d roles that hold five permissions each", worldDepth, worldRoles),
		"`braid up` with its own PostgreSQL 18 and broker, fsync on, request log on (to a file), rate limits raised, everything else as it comes; services under their real roles with row-level security forced",
		"load generator, floors, PostgreSQL and Braid share the cores; floors run in a process of their own, under the same load generator, as a superuser without policies",
	}
}
