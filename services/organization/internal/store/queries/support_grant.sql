-- name: InsertSupportGrant :exec
insert into support_grant (organization_id, id, kind, access, reason, creator_id, operator_id, created_at, expires_at, revision)
values (@organization_id, @id, @kind, @access, @reason, @creator_id, @operator_id, @created_at, @expires_at, @revision);

-- name: CountLiveSupportGrants :one
select count(*) from support_grant
where organization_id = @organization_id and revoked_at is null and expires_at > sqlc.arg(now)::timestamptz
    and operator_id is not distinct from sqlc.narg(operator_id)::uuid;

-- name: GetSupportGrant :one
select * from support_grant where organization_id = $1 and id = $2;

-- name: LockSupportGrant :one
select * from support_grant where organization_id = $1 and id = $2 for no key update;

-- name: UpdateSupportGrant :exec
update support_grant set access = @access, reason = @reason, expires_at = @expires_at, revoked_at = sqlc.narg(revoked_at),
    revoker_id = sqlc.narg(revoker_id), revision = @revision
where organization_id = @organization_id and id = @id;

-- name: UseSupportGrant :exec
update support_grant set last_used_at = @last_used_at, last_operator_id = @last_operator_id
where organization_id = @organization_id and id = @id;

-- Of several live grants the one that allows more, then the one that lasts longer; in an organization that nobody erases.
-- name: FindSupportAccess :one
select sqlc.embed(support_grant), organization.state, organization.access_revision,
    (select to_jsonb(policy) from policy where policy.organization_id = organization.id)::jsonb as policy
from organization
join support_grant on support_grant.organization_id = organization.id
where organization.id = @organization_id and organization.state <> 'deleting' and support_grant.revoked_at is null
    and support_grant.expires_at > sqlc.arg(now)::timestamptz
    and (support_grant.operator_id is null or support_grant.operator_id = sqlc.arg(operator_id)::uuid)
order by support_grant.access = 'write' desc, support_grant.expires_at desc, support_grant.id
limit 1;
