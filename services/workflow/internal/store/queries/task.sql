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
