-- name: GetRoles :one
select role_ids, (suspended_at is not null)::bool as suspended from member where organization_id = $1 and user_id = $2;

-- name: GetStanding :one
select
    (select count(*) from member o where o.organization_id = $1 and 'owner' = any (o.role_ids) and o.suspended_at is null
        and o.user_id <> sqlc.arg(target_id) and not is_leaving(o.user_id)) as other_owners,
    sqlc.embed(member), profile.display_name, profile.email, profile.title, profile.avatar_path
from member join profile on profile.user_id = member.user_id
where member.organization_id = $1 and member.user_id = sqlc.arg(target_id);

-- name: InsertMember :one
with forgiven as (delete from removed_member r where r.organization_id = $1 and r.user_id = $2)
insert into member (organization_id, user_id, role_ids, joined_at, revision)
values ($1, $2, $3, $4, 1)
on conflict do nothing
returning true;

-- name: LockOrganization :exec
select true from organization where id = $1 for no key update;

-- name: UpdateMember :exec
update member set role_ids = $3, revision = $4, suspended_at = sqlc.narg(suspended_at), suspension_reason = sqlc.arg(suspension_reason)
where organization_id = $1 and user_id = $2;

-- name: DeleteMember :exec
delete from member where organization_id = $1 and user_id = $2;

-- name: KeepRemoval :exec
insert into removed_member (organization_id, user_id, removed_at) values ($1, $2, $3)
on conflict (organization_id, user_id) do update set removed_at = excluded.removed_at;

-- name: GetRemoval :one
select removed_at from removed_member where organization_id = $1 and user_id = $2;

-- name: ProvisionMember :execrows
insert into member (organization_id, user_id, role_ids, joined_at, revision)
select $1, $2, $3, $4, 1
where not exists (select from removed_member r where r.organization_id = $1 and r.user_id = $2)
on conflict do nothing;
