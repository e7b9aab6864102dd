package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

const (
	effectPoll = 100 * time.Millisecond
	// drainProfile is about how long a drain takes that keeps its promise.
	drainProfile = 5 * time.Second
)

// consumers are the services whose effects are waited for: every event of workflow has one in each.
var consumers = []string{"audit", "notification"}

// progress is how far the consumers of up are, and how far they should be.
type progress struct {
	created int
	applied map[string]int
}

func (r *run) progress(ctx context.Context) (progress, error) {
	now := progress{applied: map[string]int{}}
	// Each project's counter is the number of its tasks: counting the rows would be a load of its own.
	if err := r.database.workflow.QueryRow(ctx, "select coalesce(sum(next_number - 1), 0) from project").Scan(&now.created); err != nil {
		return now, err
	}
	for _, service := range consumers {
		applied, err := r.metric(ctx, `braid_consumer_applied_total{service="`+service+`"}`)
		if err != nil {
			return now, err
		}
		now.applied[service] = int(applied)
	}
	return now, nil
}

// settled is how long nothing must have happened before the baseline is taken.
const settled = 500 * time.Millisecond

// takeBaseline waits until the events of the seeding, and of all else so far, have had their effects: whatever is applied from then on comes from
// creates.
func (r *run) takeBaseline(ctx context.Context) error {
	for before := map[string]int(nil); ; {
		now, err := r.progress(ctx)
		if err != nil {
			return err
		}
		if maps.Equal(before, now.applied) {
			r.baseline, r.extra = now, 0
			return nil
		}
		before = now.applied
		if err := clock.Sleep(ctx, settled); err != nil {
			return err
		}
	}
}

// awaitQuiet waits until every create so far has had all its effects.
func (r *run) awaitQuiet(ctx context.Context) error { return r.awaitEffects(ctx, 0) }

// awaitEffects waits for the effects of every create since the baseline, and of more events besides.
func (r *run) awaitEffects(ctx context.Context, more int) error {
	r.extra += more
	for {
		now, err := r.progress(ctx)
		if err != nil {
			return err
		}
		done := true
		for _, service := range consumers {
			if now.applied[service]-r.baseline.applied[service] < now.created-r.baseline.created+r.extra {
				done = false
			}
		}
		if done {
			return nil
		}
		if err := clock.Sleep(ctx, effectPoll); err != nil {
			return fmt.Errorf("wait for the effects of %d creates, applied %v: %w", now.created-r.baseline.created, now.applied, err)
		}
	}
}

// commitTimes returns when the transaction of each row was committed, by the key the query gives.
func commitTimes(ctx context.Context, pool *pgxpool.Pool, query string, arguments ...any) (map[string]time.Time, error) {
	rows, err := pool.Query(ctx, query, arguments...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	times := map[string]time.Time{}
	for rows.Next() {
		var key string
		var at time.Time
		if err := rows.Scan(&key, &at); err != nil {
			return nil, err
		}
		times[key] = at
	}
	return times, rows.Err()
}

// effects are the commits of creates and of what they caused.
type effects struct{ created, recorded, notified map[string]time.Time }

func (r *run) effectsSince(ctx context.Context, since time.Time) (effects, error) {
	var found effects
	var err error
	if found.created, err = commitTimes(ctx, r.database.workflow,
		`select id::text, pg_xact_commit_timestamp(xmin) from task where created_at >= $1 and project_key <> $2`, since, readKey); err != nil {
		return found, err
	}
	if found.recorded, err = commitTimes(ctx, r.database.audit,
		`select resource_id, pg_xact_commit_timestamp(xmin) from audit_record where occurred_at >= $1 and action = 'workflow.task.created'`, since); err != nil {
		return found, err
	}
	found.notified, err = commitTimes(ctx, r.database.notification,
		`select task_id::text, pg_xact_commit_timestamp(xmin) from notification where created_at >= $1`, since)
	return found, err
}

// delays returns how long after its create each effect was committed, sorted; every create must have one when all is set.
func delays(created, effect map[string]time.Time, all bool) ([]time.Duration, error) {
	var found []time.Duration
	for key, at := range created {
		if effected, ok := effect[key]; ok {
			found = append(found, effected.Sub(at))
		} else if all {
			return nil, fmt.Errorf("task %s has no effect", key)
		}
	}
	slices.Sort(found)
	return found, nil
}

func latest(times map[string]time.Time) time.Time {
	var last time.Time
	for _, at := range times {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// measureSustained creates as fast as clients can and counts until the last effect is there.
func (r *run) measureSustained(ctx context.Context) error {
	if err := r.awaitQuiet(ctx); err != nil {
		return err
	}
	started := time.Now()
	work := r.createWork(r.stock.projects, 4)
	result, err := r.profiled(ctx, "sustained", r.sustained, func() (outcome, error) { return drive(ctx, work, r.connections, r.sustained) })
	if err != nil {
		return err
	}
	if err := r.awaitQuiet(ctx); err != nil {
		return err
	}
	found, err := r.effectsSince(ctx, started)
	if err != nil {
		return err
	}
	if _, err := delays(found.created, found.recorded, true); err != nil {
		return err
	}
	end := latest(found.recorded)
	if notified := latest(found.notified); notified.After(end) {
		end = notified
	}
	rate := float64(result.requests) / end.Sub(started).Seconds()
	lag := end.Sub(latest(found.created))
	r.report.add(row{
		work: "create task, sustained, with every effect", figure: perSecond(rate), floor: "",
		p50: milliseconds(result.quantile(.5)), p99: milliseconds(result.quantile(.99)),
		processor: processorText([]outcome{result}), target: "≥ 1,500/s, p99 ≤ 40 ms",
		met: met(rate >= 1500 && result.quantile(.99) <= 40*time.Millisecond),
	})
	r.report.add(row{
		work: "· lag of the last effect behind the last create", figure: milliseconds(lag),
		floor: "creates alone " + perSecond(result.rate()),
	})
	return nil
}

// measureSteady creates at a fixed rate and looks at how long each effect took.
func (r *run) measureSteady(ctx context.Context) error {
	if err := r.awaitQuiet(ctx); err != nil {
		return err
	}
	started := time.Now()
	result, err := pace(ctx, r.createWork(r.stock.projects, 1), r.connections, r.steadyRate, r.steady)
	if err != nil {
		return err
	}
	if err := r.awaitQuiet(ctx); err != nil {
		return err
	}
	found, err := r.effectsSince(ctx, started)
	if err != nil {
		return err
	}
	for _, effect := range []struct {
		name  string
		times map[string]time.Time
	}{{"audit record", found.recorded}, {"notification", found.notified}} {
		took, err := delays(found.created, effect.times, true)
		if err != nil {
			return fmt.Errorf("%s: %w", effect.name, err)
		}
		p99 := quantile(took, .99)
		r.report.add(row{
			work: fmt.Sprintf("commit → %s, at %d/s", effect.name, r.steadyRate), figure: perSecond(result.rate()),
			p50: milliseconds(quantile(took, .5)), p99: milliseconds(p99), processor: processorText([]outcome{result}), target: "p99 ≤ 50 ms", met: met(p99 <= 50*time.Millisecond),
		})
	}
	return nil
}

// measureDrain puts events into the outbox in one transaction and counts until the last effect of each consumer.
func (r *run) measureDrain(ctx context.Context) error {
	if err := r.awaitQuiet(ctx); err != nil {
		return err
	}
	into := r.stock.projects[0]
	payload, err := proto.Marshal(&workflowv1.TaskCreated{Task: &workflowv1.Task{
		Id: id.New().String(), OrganizationId: into.organization.id.String(), ProjectId: into.id.String(), Number: 1, Key: "MAKE0-1",
		Title: "A task of the benchmark", Description: description, Status: "todo", Priority: workflowv1.Task_NORMAL,
		ReporterId: into.organization.owner.id.String(), Labels: []string{"bench", "load"},
	}})
	if err != nil {
		return err
	}
	// Spread over the organizations' keys as real events are.
	var keys []string
	for _, made := range r.stock.organizations {
		keys = append(keys, made.id.String())
	}
	started := time.Now()
	var transaction string
	err = r.database.workflow.QueryRow(ctx, `with made as (
			insert into outbox (event_id, key, organization_id, type, schema, subject, occurred_at, attributes, payload)
			select gen_random_uuid(), k.key::uuid, k.key::uuid, 'workflow.task.created', 'braid.workflow.v1.TaskCreated',
				'task/' || gen_random_uuid(), now(), json_build_object('actorKind', 'user', 'userId', $1::text, 'correlationId', 'bench'), $2
			from generate_series(1, $3::int) as number join unnest($4::text[]) with ordinality as k (key, position)
				on k.position = 1 + number % cardinality($4::text[])
			returning 1)
		select pg_current_xact_id()::text from made limit 1`, into.organization.owner.id.String(), payload, r.events, keys).Scan(&transaction)
	if err != nil {
		return fmt.Errorf("fill the outbox: %w", err)
	}
	waiting := func() (outcome, error) { return outcome{}, r.awaitEffects(ctx, r.events) }
	if _, err := r.profiled(ctx, "drain", drainProfile, waiting); err != nil {
		return err
	}
	var committed time.Time
	if err := r.database.workflow.QueryRow(ctx, `select pg_xact_commit_timestamp($1::xid8::xid)`, transaction).Scan(&committed); err != nil {
		return err
	}
	for _, service := range consumers {
		pool := r.database.audit
		if service == "notification" {
			pool = r.database.notification
		}
		var last time.Time
		if err := pool.QueryRow(ctx, `select max(pg_xact_commit_timestamp(xmin)) from inbox where processed_at >= $1`, started).Scan(&last); err != nil {
			return err
		}
		rate := float64(r.events) / last.Sub(committed).Seconds()
		line := row{work: fmt.Sprintf("outbox → broker → effect in %s, %d events", service, r.events), figure: perSecond(rate)}
		if service == "audit" {
			line.target, line.met = "≥ 20,000/s", met(rate >= 20_000)
		}
		r.report.add(line)
	}
	return nil
}
