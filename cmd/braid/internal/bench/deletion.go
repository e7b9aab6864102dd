package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/id"
)

// deletionService deletes organizations, in a braid that can.
const deletionService = protoreflect.FullName("braid.organization.v1.DeletionService")

func canDelete() bool {
	_, err := protoregistry.GlobalFiles.FindDescriptorByName(deletionService)
	return err == nil
}

// deletionSettings make a deletion begin at once.
func deletionSettings() []string {
	if !canDelete() {
		return nil
	}
	return []string{"BRAID_ORGANIZATION_DELETION_GRACE=1s"}
}

// deletion is what the API tells of one.
type deletion struct{ State string }

// measureDeletion deletes an organization of very many rows, and looks at what others' requests take meanwhile.
func (r *run) measureDeletion(ctx context.Context) error {
	work := fmt.Sprintf("others at %d/s (a tenth creates) while an organization of %d rows is deleted", r.otherRate, r.doomed)
	if !canDelete() {
		r.report.add(row{work: work, figure: "not measured: no such RPC", target: "p99 ≤ 1.5× without"})
		return nil
	}
	doomed := &organization{id: id.New(), projectID: id.New(), owner: r.people[0], member: r.people[1]}
	if err := r.seedDoomed(ctx, doomed); err != nil {
		return fmt.Errorf("seed the organization that is deleted: %w", err)
	}
	others := r.otherWork()
	var calm, before, meanwhile []outcome
	for range r.rounds {
		result, err := pace(ctx, others, r.connections, r.otherRate, r.read)
		if err != nil {
			return err
		}
		calm = append(calm, result)
	}
	if _, err := r.call(ctx, "POST", fmt.Sprintf("/api/v1/organizations/%s:delete", doomed.id), doomed.owner.token, map[string]any{"confirmName": organizationName}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	began, err := r.awaitErasing(ctx, doomed)
	if err != nil {
		return err
	}
	var state deletion
	for {
		result, err := pace(ctx, others, r.connections, r.otherRate, r.read)
		if err != nil {
			return err
		}
		before, meanwhile = append(before, calm[len(before)%len(calm)]), append(meanwhile, result)
		if state, err = r.deletionOf(ctx, doomed); err != nil {
			return err
		}
		if state.State != "ERASING" || time.Since(began) > r.deletion {
			break
		}
	}
	took := time.Since(began)
	left, err := r.rowsLeft(ctx, doomed)
	if err != nil {
		return err
	}
	if state.State == "DELETED" && left > 0 {
		return fmt.Errorf("the organization is deleted, and has %d tasks", left)
	}
	r.report.addMeanwhile(work, before, meanwhile, 1.5)
	r.report.add(row{
		work: "· rows erased meanwhile", figure: fmt.Sprintf("%d in %s", r.doomed-left, seconds(took)),
		floor: fmt.Sprintf("%s, %d left", state.State, left), p99: fmt.Sprintf("worst %s: %s", r.read, shown(worst(meanwhile))),
	})
	return nil
}

// worst is the longest 99th percentile.
func worst(outcomes []outcome) time.Duration {
	var most time.Duration
	for _, one := range outcomes {
		most = max(most, one.quantile(.99))
	}
	return most
}

// otherWork is what other tenants do: most of it reads.
func (r *run) otherWork() target {
	create := r.createWork(r.stock.projects, 0)
	return r.product(func(dst []byte, random *rand.Rand) []byte {
		if random.IntN(10) == 0 {
			return create.next(dst, 0, random)
		}
		return r.getTask(dst, random)
	})
}

func (r *run) deletionOf(ctx context.Context, doomed *organization) (deletion, error) {
	var state deletion
	body, err := once(ctx, r.instance.public, appendRequest(nil, "GET", fmt.Sprintf("/api/v1/organizations/%s/deletion", doomed.id), doomed.owner.token, ""))
	if err != nil {
		return state, fmt.Errorf("read the deletion: %w", err)
	}
	return state, json.Unmarshal(body, &state)
}

// awaitErasing waits until the deletion has no way back.
func (r *run) awaitErasing(ctx context.Context, doomed *organization) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for {
		state, err := r.deletionOf(ctx, doomed)
		if err != nil {
			return time.Time{}, err
		}
		switch state.State {
		case "ERASING", "DELETED":
			return time.Now(), nil
		case "FAILED", "CANCELLED":
			return time.Time{}, errors.New("the deletion is " + state.State)
		}
		if err := clock.Sleep(ctx, mailPoll); err != nil {
			return time.Time{}, fmt.Errorf("the deletion is still %s: %w", state.State, err)
		}
	}
}

func (r *run) rowsLeft(ctx context.Context, doomed *organization) (left int, err error) {
	err = r.database.workflow.QueryRow(ctx, "select count(*) from task where organization_id = $1", doomed.id.String()).Scan(&left)
	return left, err
}

// seedDoomed fills an organization with tasks of few words. Their project's counter stays as it is, so the number of
// creates is what it was.
func (r *run) seedDoomed(ctx context.Context, doomed *organization) error {
	batch := &pgx.Batch{}
	queueOrganization(batch, doomed, "member")
	if err := r.database.organization.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	if _, err := r.database.workflow.Exec(ctx, `insert into project (organization_id, id, key, display_name, description, created_at, updated_at)
		values ($1, $2, 'DOOMED', 'Doomed', '', now(), now())`, doomed.id.String(), doomed.projectID.String()); err != nil {
		return err
	}
	fill := &pgx.Batch{}
	// Every row's project is this one: asking for it a million times would take longer than the rest.
	fill.Queue("set session_replication_role = replica")
	fill.Queue(`insert into task (organization_id, id, project_id, number, project_key, title, description, status, priority,
			reporter_id, labels, created_at, updated_at, revision)
		select $1, gen_random_uuid(), $2, number, 'DOOMED', 'Doomed', '', 'todo', 2, $3, '{}', now(), now(), number
		from generate_series(1, $4::int) as number`, doomed.id.String(), doomed.projectID.String(), doomed.owner.id.String(), r.doomed)
	fill.Queue("reset session_replication_role")
	if err := r.database.workflow.SendBatch(ctx, fill).Close(); err != nil {
		return err
	}
	for _, statement := range []string{"vacuum analyze task", "checkpoint"} {
		if _, err := r.database.workflow.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
