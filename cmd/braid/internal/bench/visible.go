package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
)

const visibleProjects = 5

// measureVisible lists the projects of an organization that has very many, for a member who may see five of them.
func (r *run) measureVisible(ctx context.Context) error {
	in := &organization{id: id.New(), owner: r.people[0], member: r.people[1]}
	if err := r.seedVisible(ctx, in); err != nil {
		return fmt.Errorf("seed projects: %w", err)
	}
	request := appendRequest(nil, "GET", fmt.Sprintf("/api/v1/organizations/%s/projects", in.id), in.member.token, "")
	body, err := once(ctx, r.instance.public, request)
	if err != nil {
		return err
	}
	var page struct {
		Projects      []struct{ ID string }
		NextPageToken string
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return fmt.Errorf("list projects: %w", err)
	}
	if len(page.Projects) != visibleProjects || page.NextPageToken != "" {
		return fmt.Errorf("who may see %d projects was shown %s", visibleProjects, body)
	}
	// One after another: what counts is how long one takes.
	aim := r.product(func(dst []byte, _ *rand.Rand) []byte { return append(dst, request...) })
	if _, err := drive(ctx, aim, 1, r.warm/2); err != nil {
		return err
	}
	result, err := drive(ctx, aim, 1, r.read)
	if err != nil {
		return err
	}
	p99 := result.quantile(.99)
	r.report.add(row{
		work: fmt.Sprintf("list visible projects, %d of %d", visibleProjects, r.manyProjects), figure: shown(result.quantile(.5)),
		p50: milliseconds(result.quantile(.5)), p99: milliseconds(p99), processor: processorText([]outcome{result}),
		target: "p99 ≤ 5 ms", met: met(p99 <= 5*time.Millisecond),
	})
	return nil
}

// seedVisible gives the member a role that holds nothing, and in five projects, spread over all, one that can read. The
// projects have no tasks, so the number of creates is what it was.
func (r *run) seedVisible(ctx context.Context, in *organization) error {
	var projectIDs []string
	if err := r.database.workflow.QueryRow(ctx, `with made as (
			insert into project (organization_id, id, key, display_name, description, created_at, updated_at)
			select $1, gen_random_uuid(), 'P' || number, 'Project ' || number, '', now(), now() from generate_series(1, $2::int) as number
			returning id, key)
		select array_agg(id::text) from made where substr(key, 2)::int % ($2::int / $3::int) = 1`,
		in.id.String(), r.manyProjects, visibleProjects).Scan(&projectIDs); err != nil {
		return err
	}
	if _, err := r.database.workflow.Exec(ctx, "vacuum analyze project"); err != nil {
		return err
	}
	nothing, reader := id.New().String(), id.New().String()
	batch := &pgx.Batch{}
	queueOrganization(batch, in, nothing)
	queueRole(batch, in, nothing, nil, nil, "[]")
	queueRole(batch, in, reader, []string{"workflow.project.read"}, nil, "[]")
	for _, projectID := range projectIDs {
		parsed, err := id.Parse(projectID)
		if err != nil {
			return err
		}
		queueAssignment(batch, in, reader, parsed, "")
	}
	return r.database.organization.SendBatch(ctx, batch).Close()
}
