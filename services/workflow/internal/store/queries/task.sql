-- name: InsertTask :one
-- InsertTask takes the project's next number and revision, and makes the task, in one statement. It returns no row for
-- a project that is missing or archived, and for an assignee who was removed.
with taken as (
    update project set next_number = next_number + 1, revision = revision + 1
    where project.organization_id = @organization_id and project.id = @project_id and not project.archived
        and not exists (
            select from membership
            where membership.organization_id = @organization_id and membership.user_id = @assignee_id::uuid and removed
        )
    returning project.key, project.next_number - 1 as number, project.revision
)
insert into task (organization_id, id, project_id, number, project_key, title, description, status, priority,
    assignee_id, reporter_id, due_at, labels, created_at, updated_at, revision)
select @organization_id, @id, @project_id, taken.number, taken.key, @title, @description, @status, @priority,
    @assignee_id::uuid, @reporter_id, @due_at, @labels, @created_at, @created_at, taken.revision
from taken
returning number, project_key, revision;

-- name: GetTask :one
select * from task where organization_id = @organization_id and id = @id;

-- name: LockTask :one
-- LockTask locks a task's project, then the task, and returns both as they are then: row locks in PostgreSQL read the
-- newest version, however long they waited. It also says whether an assignee to be was removed; what it knows of that is
-- as old as the statement, so the membership must be shared before.
select sqlc.embed(project), sqlc.embed(task), exists (
    select from membership
    where membership.organization_id = @organization_id and membership.user_id = @assignee_id::uuid and removed
) as assignee_removed
from project join task on task.organization_id = project.organization_id and task.project_id = project.id
where task.organization_id = @organization_id and task.id = @id
for no key update of project, task;

-- name: UpdateTask :exec
update task
set title = @title, description = @description, status = @status, priority = @priority, assignee_id = @assignee_id,
    due_at = @due_at, labels = @labels, updated_at = @updated_at, revision = @revision
where organization_id = @organization_id and id = @id;

-- name: UpdateTaskAssignee :exec
update task set assignee_id = @assignee_id, updated_at = @updated_at, revision = @revision
where organization_id = @organization_id and id = @id;

-- name: UpdateTaskCommenters :exec
update task set commenter_ids = @commenter_ids where organization_id = @organization_id and id = @id;

-- name: DeleteTask :exec
delete from task where organization_id = @organization_id and id = @id;

-- name: ListOpenTasksOfAssignee :many
select id from task
where organization_id = @organization_id and assignee_id = @assignee_id and status not in ('done', 'cancelled')
order by project_id, number
limit @batch;
