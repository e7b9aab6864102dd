-- name: InsertTaskDeliveries :exec
insert into delivery (id, user_id, event_id, organization_id, kind, actor_id, project_id, task_id, task_key, task_title, task_status,
    assignee_id, previous_assignee_id, created_at)
select recipient.id, recipient.user_id, sqlc.arg(event_id), sqlc.arg(organization_id), sqlc.arg(kind), sqlc.narg(actor_id),
    sqlc.arg(project_id), sqlc.arg(task_id), sqlc.arg(task_key), sqlc.arg(task_title), sqlc.arg(task_status),
    sqlc.narg(assignee_id), sqlc.narg(previous_assignee_id), sqlc.arg(created_at)
from (select unnest(sqlc.arg(ids)::uuid[]) as id, unnest(sqlc.arg(user_ids)::uuid[]) as user_id) as recipient
where recipient.user_id not in (select forgotten.id from forgotten_organization forgotten) and not exists (
    select from preference
    where preference.user_id = recipient.user_id and preference.kind = sqlc.arg(kind)
        and preference.channel = 'email' and not preference.enabled)
on conflict do nothing;

-- name: InsertMailDelivery :exec
insert into delivery (id, event_id, organization_id, kind, registration_id, invitation_id, account_matter_id, created_at, user_id, device_id,
    transfer_id, domain_id, support_grant_id)
values (sqlc.arg(id), sqlc.arg(event_id), sqlc.narg(organization_id), sqlc.arg(kind), sqlc.narg(registration_id),
    sqlc.narg(invitation_id), sqlc.narg(account_matter_id), sqlc.arg(created_at), sqlc.narg(user_id), sqlc.narg(device_id),
    sqlc.narg(transfer_id), sqlc.narg(domain_id), sqlc.narg(support_grant_id))
on conflict do nothing;

-- name: GetDelivery :one
select delivery.id, delivery.kind, delivery.organization_id, delivery.user_id, delivery.actor_id, delivery.registration_id,
    delivery.invitation_id, delivery.account_matter_id, delivery.project_id, delivery.task_id, delivery.task_key, delivery.task_title,
    delivery.task_status, delivery.assignee_id, delivery.previous_assignee_id, delivery.device_id, delivery.transfer_id,
    delivery.domain_id, delivery.support_grant_id, delivery.state,
    coalesce(exists (
        select from preference
        where preference.user_id = delivery.user_id and preference.kind = delivery.kind
            and preference.channel = 'email' and not preference.enabled), false)::boolean as muted
from delivery where delivery.id = sqlc.arg(id);

-- name: FinishDelivery :execrows
update delivery set state = sqlc.arg(state), attempts = sqlc.arg(attempts), reason = sqlc.arg(reason),
    finished_at = sqlc.arg(finished_at)::timestamptz
where id = sqlc.arg(id) and state = 'pending';

-- name: DeleteFinishedDeliveries :execrows
delete from delivery where id in (
    select old.id from delivery as old where old.finished_at < sqlc.arg(before)::timestamptz limit sqlc.arg(row_limit)::integer);

-- name: HasAccountMails :one
select exists (select from delivery where account_matter_id = @account_matter_id::uuid and state = 'pending' and created_at > @since::timestamptz);
