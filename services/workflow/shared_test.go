package workflow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/api"
	"github.com/braidhq/braid/services/workflow/internal/domain"
)

// creators makes tasks as requests do: in transactions that they share.
type creators struct {
	*fixture
	handlers      *api.Tasks
	organizations [2]id.ID
	// projects are those of each organization; the last of each is archived.
	projects [2][]id.ID
}

func newCreators(t *testing.T) *creators {
	f := newFixture(t)
	c := &creators{fixture: f, handlers: api.NewTasks(f.cases, idempotency.Runner{DB: f.database, Clock: f.clock})}
	for number := range c.organizations {
		c.organizations[number] = id.New()
		ctx := c.in(number, "")
		for i := range 4 {
			require.NoError(t, f.database.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
				project, err := f.cases.CreateProject(ctx, tx, fmt.Sprintf("P%d", i), "Site", "")
				c.projects[number] = append(c.projects[number], project.ID)
				if err == nil && i == 3 {
					_, err = f.cases.ArchiveProject(ctx, tx, project.ID, "")
				}
				return err
			}))
		}
	}
	return c
}

// in returns the context of a request in an organization, with a key when there is one.
func (c *creators) in(organization int, key string) context.Context {
	work := &call.Call{
		Procedure: "/braid.workflow.v1.TaskService/CreateTask", OrganizationID: c.organizations[organization], CorrelationID: "test",
		Actor: call.Actor{Kind: call.User, UserID: c.memberID}, IdempotencyKey: key,
	}
	if key != "" {
		work.IdempotencyHash = []byte("a hash")
	}
	return call.With(c.t.Context(), work)
}

func (c *creators) create(organization int, projectID id.ID, key string) (*workflowv1.Task, error) {
	return c.handlers.CreateTask(c.in(organization, key), &workflowv1.CreateTaskRequest{ProjectId: projectID.String(), Title: "x"})
}

// Requests of two organizations, among them such as fail and such as come twice, share transactions; nobody notices.
func TestCreatesThatShareTransactions(t *testing.T) {
	t.Parallel()
	const callers, each = 24, 20
	c := newCreators(t)
	var mu sync.Mutex
	made := map[string]int32{}
	note := func(task *workflowv1.Task) {
		mu.Lock()
		defer mu.Unlock()
		made[task.GetId()] = task.GetNumber()
	}
	var calling sync.WaitGroup
	for caller := range callers {
		calling.Go(func() {
			random := rand.New(rand.NewPCG(uint64(caller), 13))
			for round := range each {
				organization, which := random.IntN(2), random.IntN(3)
				switch random.IntN(10) {
				case 0:
					_, err := c.create(organization, c.projects[organization][3], "")
					if !errors.Is(err, domain.ErrProjectArchived) {
						t.Errorf("archived: %v", err)
					}
				case 1:
					_, err := c.create(organization, c.projects[1-organization][which], "")
					if errs.KindOf(err) != errs.NotFound {
						t.Errorf("another organization's: %v", err)
					}
				case 2:
					c.createTwice(organization, c.projects[organization][which], fmt.Sprint(caller, " ", round), note)
				default:
					task, err := c.create(organization, c.projects[organization][which], "")
					if err != nil {
						t.Error(err)
						continue
					}
					note(task)
				}
			}
		})
	}
	calling.Wait()
	require.Equal(t, len(made), c.count(`select count(*) from task`))
	require.Equal(t, len(made), c.count(`select sum(next_number - 1) from project`), "numbers have no gaps")
	require.Equal(t, len(made), c.count(`select count(distinct (project_id, number)) from task`))
	require.Equal(t, len(made)+len(c.organizations), c.count(`select count(*) from project_change`), "one each, and those of archiving")
	require.Zero(t, c.count(`select count(*) from task join project on project.id = project_id
		where task.organization_id <> project.organization_id`))
	c.requireEventsInOrder(made)
	require.Positive(t, c.sharers("committed"), "some shared a transaction")
}

// Creates of both organizations are one statement, and each finds its project. Were they planned another way, or did one
// of them go wrong, all would be run again alone, and nobody would notice but by the time it takes.
func TestCreatesThatGoTogetherAreNotRunAgain(t *testing.T) {
	t.Parallel()
	const callers, each = 6, 50
	c := newCreators(t)
	var calling sync.WaitGroup
	for caller := range callers {
		calling.Go(func() {
			for range each {
				if _, err := c.create(caller%2, c.projects[caller%2][caller/2], ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
	calling.Wait()
	require.Equal(t, callers*each, c.count(`select count(*) from task`))
	require.Positive(t, c.sharers("committed"))
	// A machine that stands still for a moment may make some run out of time.
	require.Less(t, c.sharers("replayed"), c.sharers("committed")/4)
}

// sharers returns how many requests have had an outcome.
func (c *creators) sharers(outcome string) (count float64) {
	families, err := c.pg.Registry.Gather()
	require.NoError(c.t, err)
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			for _, label := range sample.GetLabel() {
				if family.GetName() == "braid_pg_sharers_total" && label.GetValue() == outcome {
					count += sample.GetCounter().GetValue()
				}
			}
		}
	}
	return count
}

// createTwice sends one request with a key twice at once: both get the same task.
func (c *creators) createTwice(organization int, projectID id.ID, key string, note func(*workflowv1.Task)) {
	var both [2]*workflowv1.Task
	var calling sync.WaitGroup
	for i := range both {
		calling.Go(func() {
			var err error
			if both[i], err = c.create(organization, projectID, key); err != nil {
				c.t.Error(err)
			}
		})
	}
	calling.Wait()
	if !proto.Equal(both[0], both[1]) {
		c.t.Errorf("two answers to one request: %v, %v", both[0], both[1])
	}
	note(both[0])
}

// requireEventsInOrder makes sure that each task has one event, and each project's are in the order of its numbers.
func (c *creators) requireEventsInOrder(made map[string]int32) {
	rows, err := c.pg.Admin.Query(c.t.Context(), `select organization_id::text, payload from outbox
		where type = 'workflow.task.created' order by position`)
	require.NoError(c.t, err)
	defer rows.Close()
	next, seen := map[string]int32{}, 0
	for rows.Next() {
		var organizationID string
		var payload []byte
		require.NoError(c.t, rows.Scan(&organizationID, &payload))
		var created workflowv1.TaskCreated
		require.NoError(c.t, proto.Unmarshal(payload, &created))
		task := created.GetTask()
		require.Equal(c.t, task.GetOrganizationId(), organizationID)
		require.Equal(c.t, made[task.GetId()], task.GetNumber())
		next[task.GetProjectId()]++
		require.Equal(c.t, next[task.GetProjectId()], task.GetNumber())
		seen++
	}
	require.NoError(c.t, rows.Err())
	require.Equal(c.t, len(made), seen)
}
