package bench

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// listed is the page that lists are compared by.
const listed = 50

// compared is one sort of request, measured at the product and at its floor in turn.
type compared struct {
	// name is short, for the command line and for files.
	name, work      string
	product, floor  target
	results, floors []outcome
	// connections are the plan's when zero.
	connections int
}

// reads are the names of the sorts of reads.
var reads = []string{"get", "list", "check", "split"}

func (r *run) measureReads(ctx context.Context) error {
	if err := r.instance.startSplit(ctx, r.database.server); err != nil {
		return err
	}
	get, list, check, split := r.readWork()
	all := slices.DeleteFunc([]*compared{get, list, check, split}, func(one *compared) bool { return !r.wants("read") && !r.wants(one.name) })
	for _, one := range all {
		if err := r.warmUp(ctx, one); err != nil {
			return err
		}
	}
	for round := range r.rounds {
		for _, one := range all {
			if err := r.compare(ctx, one, round); err != nil {
				return err
			}
		}
	}
	if err := r.instance.stopSplit(); err != nil {
		return err
	}
	if split.results != nil {
		split.floors = get.results
	}
	r.report.addCompared(get, "≥ 1.0, p99 ≤ 20 ms", func(ratio float64, p99 time.Duration) bool {
		return ratio >= 1 && p99 <= 20*time.Millisecond
	})
	r.report.addCompared(list, "≥ 0.7 (0.9 is the goal)", func(ratio float64, _ time.Duration) bool { return ratio >= 0.7 })
	r.report.addCompared(check, "≥ 0.35", func(ratio float64, _ time.Duration) bool { return ratio >= 0.35 })
	r.report.addCompared(split, "≥ 0.5 of one process", func(ratio float64, _ time.Duration) bool { return ratio >= 0.5 })
	return nil
}

// anyOrganization picks one of the stock's.
func (r *run) anyOrganization(random *rand.Rand) *organization {
	return r.stock.organizations[random.IntN(len(r.stock.organizations))]
}

// product asks up.
func (r *run) product(next func(dst []byte, random *rand.Rand) []byte) target {
	return target{pid: r.instance.up.pid(), database: r.instance.up.pid(), address: r.instance.public, next: func(dst []byte, _ int, random *rand.Rand) []byte { return next(dst, random) }}
}

// bare asks the floor.
func (r *run) bare(next func(dst []byte, random *rand.Rand) []byte) target {
	return target{pid: r.floor.pid(), database: r.instance.up.pid(), address: r.floor.address, next: func(dst []byte, _ int, random *rand.Rand) []byte { return next(dst, random) }}
}

// getTask reads any of the stock's tasks.
func (r *run) getTask(dst []byte, random *rand.Rand) []byte {
	from := r.anyOrganization(random)
	return appendRequest(dst, "GET", fmt.Sprintf("/api/v1/organizations/%s/tasks/%s", from.id, from.tasks[random.IntN(len(from.tasks))]), from.owner.token, "")
}

// readWork are the requests of reads. The floor's are spread over the same rows.
func (r *run) readWork() (get, list, check, split *compared) {
	get = &compared{name: "get", work: "GET one task", product: r.product(r.getTask), floor: r.bare(func(dst []byte, random *rand.Rand) []byte {
		from := r.anyOrganization(random)
		return appendRequest(dst, "GET", fmt.Sprintf("/tasks/%s/%s", from.id, from.tasks[random.IntN(len(from.tasks))]), "", "")
	})}
	list = &compared{name: "list", work: fmt.Sprintf("list %d tasks", listed), product: r.product(func(dst []byte, random *rand.Rand) []byte {
		from := r.anyOrganization(random)
		return appendRequest(dst, "GET", fmt.Sprintf("/api/v1/organizations/%s/projects/%s/tasks", from.id, from.projectID), from.owner.token, "")
	}), floor: r.bare(func(dst []byte, random *rand.Rand) []byte {
		from := r.anyOrganization(random)
		return appendRequest(dst, "GET", fmt.Sprintf("/projects/%s/%s", from.id, from.projectID), "", "")
	})}
	const question = `{"permission":"workflow.task.read"}`
	check = &compared{name: "check", work: "permission check, against a null handler", product: r.product(func(dst []byte, random *rand.Rand) []byte {
		from := r.anyOrganization(random)
		return appendRequest(dst, "POST", fmt.Sprintf("/api/v1/organizations/%s/access:check", from.id), from.owner.token, question)
	}), floor: r.bare(func(dst []byte, _ *rand.Rand) []byte { return appendRequest(dst, "POST", "/null", "", question) })}
	split = &compared{name: "split", work: "GET one task, gateway process + workflow process", product: target{
		pid: r.instance.splitGateway.pid(), database: r.instance.up.pid(), address: r.instance.splitAddress,
		next: func(dst []byte, _ int, random *rand.Rand) []byte { return r.getTask(dst, random) },
	}}
	return get, list, check, split
}

func (r *run) warmUp(ctx context.Context, one *compared) error {
	for _, aim := range []target{one.product, one.floor} {
		if aim.next == nil {
			continue
		}
		if _, err := drive(ctx, aim, cmp.Or(one.connections, r.connections), r.warm); err != nil {
			return fmt.Errorf("%s: %w", one.work, err)
		}
	}
	return nil
}

// compare measures one round; who goes first changes, so that neither always follows the other.
func (r *run) compare(ctx context.Context, one *compared, round int) error {
	order := []bool{true, false}
	if round%2 == 1 {
		order = []bool{false, true}
	}
	for _, product := range order {
		aim, into := one.floor, &one.floors
		if product {
			aim, into = one.product, &one.results
		}
		if aim.next == nil {
			continue
		}
		load := func() (outcome, error) { return drive(ctx, aim, cmp.Or(one.connections, r.connections), r.read) }
		var result outcome
		var err error
		if product {
			result, err = r.profiled(ctx, one.name, r.read, load)
		} else {
			result, err = load()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", one.work, err)
		}
		*into = append(*into, result)
	}
	return nil
}
