-- name: InsertNotifications :exec
insert into notification (id, user_id, event_id, organization_id, kind, title, actor_id, project_id, task_id, task_key, created_at)
select recipient.id, recipient.user_id, sqlc.arg(event_id), sqlc.arg(organization_id), sqlc.arg(kind), recipient.title,
    sqlc.narg(actor_id), sqlc.arg(project_id), sqlc.arg(task_id), sqlc.arg(task_key), sqlc.arg(created_at)
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(user_ids)::uuid[]) as user_id,
    unnest(sqlc.arg(titles)::text[]) as title) as recipient
where recipient.user_id not in (select forgotten.id from forgotten_organization forgotten) and not exists (
    select from preference
    where preference.user_id = recipient.user_id and preference.kind = sqlc.arg(kind)
        and preference.channel = 'in_app' and not preference.enabled)
on conflict do nothing;

-- name: MarkNotificationsRead :execrows
update notification set read_at = sqlc.arg(read_at)
where user_id = sqlc.arg(user_id) and read_at is null and id = any(sqlc.arg(ids)::uuid[]);

-- name: MarkAllNotificationsRead :execrows
update notification set read_at = sqlc.arg(read_at)
where user_id = sqlc.arg(user_id) and read_at is null;

-- name: CountUnread :one
select count(*) from notification where user_id = sqlc.arg(user_id) and read_at is null;
