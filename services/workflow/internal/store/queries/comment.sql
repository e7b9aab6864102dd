-- name: InsertComment :exec
insert into comment (organization_id, id, task_id, author_id, body, created_at, updated_at, revision)
values (@organization_id, @id, @task_id, @author_id, @body, @created_at, @created_at, @revision);

-- name: LockComment :one
-- LockComment is LockTask with one comment of the task.
select sqlc.embed(project), sqlc.embed(task), sqlc.embed(comment)
from project
join task on task.organization_id = project.organization_id and task.project_id = project.id
join comment on comment.organization_id = task.organization_id and comment.task_id = task.id
where task.organization_id = @organization_id and task.id = @task_id and comment.id = @id
for no key update of project, task, comment;

-- name: UpdateComment :exec
update comment set body = @body, updated_at = @updated_at, revision = @revision
where organization_id = @organization_id and id = @id;

-- name: DeleteComment :exec
delete from comment where organization_id = @organization_id and id = @id;

-- name: DeleteTaskComments :exec
delete from comment where organization_id = @organization_id and task_id = @task_id;
