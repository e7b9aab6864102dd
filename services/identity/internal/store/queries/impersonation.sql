-- name: InsertImpersonation :exec
insert into impersonation (id, operator_id, session_id, account_id, organization_id, support_grant_id, writes, reason, created_at, expires_at)
values (@id, @operator_id, @session_id, @account_id, @organization_id, @support_grant_id, @writes, @reason, @created_at, @expires_at);

-- name: CountImpersonations :one
select count(*) from impersonation where operator_id = @operator_id and ended_at is null and expires_at > sqlc.arg(now)::timestamptz;

-- name: LockImpersonation :one
select * from impersonation where id = @id and operator_id = @operator_id for no key update;

-- name: EndImpersonation :exec
update impersonation set ended_at = @ended_at where id = @id and ended_at is null;

-- name: EndImpersonationsOfGrant :many
update impersonation set ended_at = @ended_at
where organization_id = @organization_id and support_grant_id = @support_grant_id and ended_at is null and expires_at > @ended_at
returning *;
