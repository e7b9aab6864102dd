package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/braidhq/braid/platform/id"
)

// floorTables are the product's own, without policies, without an outbox that anybody empties.
const floorTables = `
create schema if not exists bench;
create table bench.project (like public.project including all);
create table bench.task (like public.task including all, foreign key (organization_id, project_id) references bench.project);
create table bench.outbox (like public.outbox including all);`

// createWork makes tasks in the stock's projects; every assignedOf-th has an assignee, none with 0.
func (r *run) createWork(projects []project, assignedOf int) target {
	return r.product(func(dst []byte, random *rand.Rand) []byte {
		into := projects[random.IntN(len(projects))]
		body := `{"title":"A task of the benchmark","description":"` + description + `","priority":"NORMAL","labels":["bench","load"]`
		if assignedOf > 0 && random.IntN(assignedOf) == 0 {
			body += `,"assigneeId":"` + into.organization.member.id.String() + `"`
		}
		return appendRequest(dst, "POST", fmt.Sprintf("/api/v1/organizations/%s/projects/%s/tasks", into.organization.id, into.id),
			into.organization.owner.token, body+"}")
	})
}

// measureWrites compares bursts of creates. The product's consumers and relay run on beside it; before the floor has its
// turn they are let finish.
func (r *run) measureWrites(ctx context.Context) error {
	loop, err := newFloorLoop(ctx, r.database.server.SuperuserURL("braid_workflow"), r.projects, r.connections)
	if err != nil {
		return fmt.Errorf("prepare the floor: %w", err)
	}
	defer loop.pool.Close()
	loop.server.database = r.instance.up.pid()
	one := &compared{name: "create", work: "create task, burst"}
	work := r.createWork(r.stock.projects, 0)
	if _, err := drive(ctx, work, r.connections, r.warm); err != nil {
		return err
	}
	for range r.bursts {
		if err := r.awaitQuiet(ctx); err != nil {
			return err
		}
		result, err := r.profiled(ctx, one.name, r.burst, func() (outcome, error) { return drive(ctx, work, r.connections, r.burst) })
		if err != nil {
			return err
		}
		if err := r.awaitQuiet(ctx); err != nil {
			return err
		}
		floor, err := loop.drive(ctx, r.burst)
		if err != nil {
			return fmt.Errorf("floor: %w", err)
		}
		one.results, one.floors = append(one.results, result), append(one.floors, floor)
	}
	r.report.addCompared(one, "≥ 1.0, p99 ≤ 40 ms", func(ratio float64, p99 time.Duration) bool {
		return ratio >= 1 && p99 <= 40*time.Millisecond
	})
	return r.awaitQuiet(ctx)
}

// floorLoop makes tasks in five round trips, straight from the driver, over as many projects and connections.
type floorLoop struct {
	pool           *pgxpool.Pool
	organizationID string
	projects       []string
	connections    int
	// server is where PostgreSQL's time is read.
	server target
}

func newFloorLoop(ctx context.Context, url string, projects, connections int) (*floorLoop, error) {
	pool, err := openPool(ctx, url, int32(connections))
	if err != nil {
		return nil, err
	}
	loop := &floorLoop{pool: pool, organizationID: id.New().String(), connections: connections}
	if _, err = pool.Exec(ctx, floorTables); err == nil {
		batch := &pgx.Batch{}
		for number := range projects {
			loop.projects = append(loop.projects, id.New().String())
			batch.Queue(`insert into bench.project (organization_id, id, key, display_name, description, created_at, updated_at)
				values ($1, $2, $3, 'Bench', '', now(), now())`, loop.organizationID, loop.projects[number], fmt.Sprintf("MAKE%d", number))
		}
		err = pool.SendBatch(ctx, batch).Close()
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return loop, nil
}

func (l *floorLoop) drive(ctx context.Context, duration time.Duration) (outcome, error) {
	database := l.server.databaseTime()
	sets := make([][]time.Duration, l.connections)
	looping, loopCtx := errgroup.WithContext(ctx)
	started := time.Now()
	end := started.Add(duration)
	for number := range l.connections {
		looping.Go(func() error {
			random := rand.New(rand.NewPCG(uint64(number), uint64(end.UnixNano())))
			for now := time.Now(); now.Before(end); {
				if err := l.create(loopCtx, l.projects[random.IntN(len(l.projects))]); err != nil {
					return err
				}
				after := time.Now()
				sets[number] = append(sets[number], after.Sub(now))
				now = after
			}
			return nil
		})
	}
	if err := looping.Wait(); err != nil {
		return outcome{}, err
	}
	result := outcome{elapsed: time.Since(started), latencies: slices.Concat(sets...)}
	result.requests = len(result.latencies)
	result.database = (l.server.databaseTime() - database) / time.Duration(max(1, result.requests))
	slices.Sort(result.latencies)
	return result, nil
}

// create is the floor: begin, number, task, outbox, commit, each with its own round trip.
func (l *floorLoop) create(ctx context.Context, projectID string) (err error) {
	tx, err := l.pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
		}
	}()
	var number int32
	var revision int64
	err = tx.QueryRow(ctx, `update bench.project set next_number = next_number + 1, revision = revision + 1
		where organization_id = $1 and id = $2 returning next_number - 1, revision`, l.organizationID, projectID).Scan(&number, &revision)
	if err != nil {
		return err
	}
	taskID, now := id.New().String(), time.Now()
	_, err = tx.Exec(ctx, `insert into bench.task (organization_id, id, project_id, number, project_key, title, description, status,
			priority, reporter_id, labels, created_at, updated_at, revision)
		values ($1, $2, $3, $4, 'MAKE', 'A task of the benchmark', $5, 'todo', 2, $1, array['bench', 'load'], $6, $6, $7)`,
		l.organizationID, taskID, projectID, number, description, now, revision)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into bench.outbox (event_id, key, organization_id, type, schema, subject, occurred_at, attributes, payload)
		values ($1, $2, $2, 'workflow.task.created', 'braid.workflow.v1.TaskCreated', $3, $4, '{}', $5)`,
		id.New().String(), l.organizationID, "task/"+taskID, now, []byte(description+description))
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}
