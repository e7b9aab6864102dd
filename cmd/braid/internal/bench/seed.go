package bench

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
)

// stock is what there is to read and to write in.
type stock struct {
	organizations []*organization
	// projects are for creates and streams; the organizations' own projects are only read.
	projects []project
	streams  []project
}

type organization struct {
	id, projectID id.ID
	// owner acts; member is who gets tasks.
	owner, member *person
	tasks         []id.ID
}

type project struct {
	id           id.ID
	organization *organization
}

const (
	organizationName = "Bench"

	readKey     = "READ"
	description = "What a person writes about a piece of work: what is wrong, how to see it, what should be there instead, " +
		"who has asked for it, and a link or two. Two or three sentences are the usual length, and this is about as long as that."
)

// seed signs people up by the API, and fills the tables by SQL: a hundred thousand creates would take the whole run.
func (r *run) seed(ctx context.Context) error {
	if err := r.signUpAll(ctx); err != nil {
		return err
	}
	r.stock = &stock{}
	for number := range r.plan.organizations {
		r.stock.organizations = append(r.stock.organizations, &organization{
			id: id.New(), projectID: id.New(),
			owner: r.people[number%len(r.people)], member: r.people[(number+1)%len(r.people)],
		})
	}
	for number := range r.projects {
		r.stock.projects = append(r.stock.projects, project{id: id.New(), organization: r.stock.organizations[number%len(r.stock.organizations)]})
	}
	for number := range r.streamGroups {
		r.stock.streams = append(r.stock.streams, project{id: id.New(), organization: r.stock.organizations[number%len(r.stock.organizations)]})
	}
	if err := r.seedOrganizations(ctx); err != nil {
		return fmt.Errorf("seed organizations: %w", err)
	}
	if err := r.seedTasks(ctx); err != nil {
		return fmt.Errorf("seed tasks: %w", err)
	}
	return r.takeBaseline(ctx)
}

func (r *run) seedOrganizations(ctx context.Context) error {
	batch := &pgx.Batch{}
	for _, made := range r.stock.organizations {
		queueOrganization(batch, made, "member")
	}
	for _, who := range r.people {
		batch.Queue(`insert into profile (user_id, display_name, email, email_key, revision) values ($1, $2, $2, $2, 1) on conflict do nothing`,
			who.id.String(), who.email)
	}
	return r.database.organization.SendBatch(ctx, batch).Close()
}

// queueOrganization adds an organization with an owner, and a member who has one role.
func queueOrganization(batch *pgx.Batch, made *organization, roleID string) {
	batch.Queue(`insert into organization (id, display_name, slug, created_at, updated_at, revision) values ($1, $3, $2, now(), now(), 1)`,
		made.id.String(), made.id.String(), organizationName)
	batch.Queue(`insert into member (organization_id, user_id, role_ids, joined_at, revision)
		values ($1, $2, array['owner'], now(), 1), ($1, $3, array[$4::text], now(), 1)`,
		made.id.String(), made.owner.id.String(), made.member.id.String(), roleID)
}

// queueRole adds a role of the organization's own.
func queueRole(batch *pgx.Batch, in *organization, roleID string, allowed, denied []string, parents string) {
	batch.Queue(`insert into role (organization_id, id, display_name, description, allowed, denied, parents, version, created_at, updated_at)
		values ($1, $2::uuid, 'Role ' || $2::uuid, '', $3, $4, $5, 1, now(), now())`,
		in.id.String(), roleID, append([]string{}, allowed...), append([]string{}, denied...), parents)
}

// queueAssignment gives the organization's member a role in a project.
func queueAssignment(batch *pgx.Batch, in *organization, roleID string, projectID id.ID, condition string) {
	batch.Queue(`insert into assignment (organization_id, id, subject_type, subject_id, role_id, scope_type, scope_id, resource_type, owned,
			delegable, condition, creator_id, created_at)
		values ($1, $2, 'user', $3, $4, 'project', $5, '', false, false, $6, $7, now())`,
		in.id.String(), id.New().String(), in.member.id.String(), roleID, projectID.String(), condition, in.owner.id.String())
}

func (r *run) seedTasks(ctx context.Context) error {
	batch := &pgx.Batch{}
	insertProject := func(organizationID, projectID id.ID, key string, tasks int) {
		batch.Queue(`insert into project (organization_id, id, key, display_name, description, created_at, updated_at, next_number, revision)
			values ($1, $2, $3, $3, '', now(), now(), $4, $5)`, organizationID.String(), projectID.String(), key, tasks+1, tasks)
	}
	for _, made := range r.stock.organizations {
		insertProject(made.id, made.projectID, readKey, r.tasks)
		taskIDs := make([]string, r.tasks)
		for i := range taskIDs {
			made.tasks = append(made.tasks, id.New())
			taskIDs[i] = made.tasks[i].String()
		}
		batch.Queue(`insert into task (organization_id, id, project_id, number, project_key, title, description, status, priority,
				assignee_id, reporter_id, due_at, labels, created_at, updated_at, revision)
			select $1, made.id, $2, made.number, $3, 'Task number ' || made.number, $4, 'in_progress', 2,
				$5::uuid, $6::uuid, now(), array['bench', 'load'], now(), now(), made.number
			from unnest($7::uuid[]) with ordinality as made (id, number)`,
			made.id.String(), made.projectID.String(), readKey, description, made.member.id.String(), made.owner.id.String(), taskIDs)
	}
	for number, made := range r.stock.projects {
		insertProject(made.organization.id, made.id, fmt.Sprintf("MAKE%d", number), 0)
	}
	for number, made := range r.stock.streams {
		insertProject(made.organization.id, made.id, fmt.Sprintf("WATCH%d", number), 0)
	}
	if err := r.database.workflow.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	for _, statement := range []string{"vacuum analyze task", "analyze project", "checkpoint"} {
		if _, err := r.database.workflow.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
