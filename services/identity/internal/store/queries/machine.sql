-- name: LockServiceAccount :one
select * from service_account where organization_id = @organization_id and id = @id for update;

-- name: GetServiceAccount :one
select * from service_account where organization_id = @organization_id and id = @id;

-- name: CountServiceAccounts :one
select count(*) from service_account where organization_id = @organization_id;

-- name: InsertServiceAccount :exec
insert into service_account (organization_id, id, display_name, description, creator_id, revision, created_at, updated_at)
values (@organization_id, @id, @display_name, @description, @creator_id, @revision, @created_at, @updated_at);

-- name: UpdateServiceAccount :exec
update service_account set display_name = @display_name, description = @description, revision = @revision, updated_at = @updated_at
where organization_id = @organization_id and id = @id;

-- name: DeleteServiceAccount :execrows
delete from service_account where organization_id = @organization_id and id = @id;

-- name: CountMachineCredentials :one
select count(*) from machine_credential
where expires_at > @now and (account_id = sqlc.narg(account_id)::uuid
    or (service_account_id = sqlc.narg(service_account_id)::uuid and organization_id = sqlc.narg(organization_id)::uuid));

-- name: InsertMachineCredential :exec
insert into machine_credential (id, account_id, service_account_id, organization_id, display_name, hash, public_key, scopes, networks,
    created_at, expires_at, lifetime_seconds, creator_id, authenticated_at, methods, sso_connection_id, sso_bypassed)
values (@id, sqlc.narg(account_id), sqlc.narg(service_account_id), sqlc.narg(organization_id), @display_name, sqlc.narg(hash),
    sqlc.narg(public_key), @scopes, @networks, @created_at, @expires_at, @lifetime_seconds, sqlc.narg(creator_id),
    sqlc.narg(authenticated_at), @methods, sqlc.narg(sso_connection_id), @sso_bypassed);

-- name: DeleteMachineCredential :many
delete from machine_credential
where id = @id and (account_id = sqlc.narg(account_id)::uuid
    or (service_account_id = sqlc.narg(service_account_id)::uuid and organization_id = sqlc.narg(organization_id)::uuid))
returning organization_id;

-- name: DeleteKeys :many
delete from machine_credential where organization_id = @organization_id::uuid and service_account_id = @service_account_id::uuid
returning id;

-- name: DeleteAccessTokens :many
delete from machine_credential where account_id = @account_id::uuid returning id, organization_id;

-- name: RetireMachineCredential :exec
update machine_credential set expires_at = @expires_at, successor_id = @successor_id::uuid where id = @id;

-- name: InsertUsedAssertion :execrows
insert into used_assertion (organization_id, credential_id, hash, expires_at)
values (@organization_id, @credential_id, @hash, @expires_at) on conflict do nothing;

-- name: InsertRevokedToken :execrows
insert into revoked_token (id, organization_id, credential_id, expires_at)
select @id, @organization_id, credential.id, @expires_at from machine_credential credential
where credential.id = @credential_id and credential.organization_id = @organization_id::uuid
on conflict do nothing;

-- name: RecordUses :exec
-- In the order of their ids, so that no two processes wait for each other in a circle.
with used as (
    select unnest(@ids::uuid[]) as id, unnest(@used_at::timestamptz[]) as used_at, unnest(@addresses::text[]) as address
), locked as (
    select credential.id from machine_credential credential where credential.id in (select used.id from used) order by credential.id for update
)
update machine_credential credential set last_used_at = used.used_at, last_used_address = used.address
from used, locked
where credential.id = used.id and locked.id = used.id and (credential.last_used_at is null or credential.last_used_at < used.used_at);

-- name: PurgeMachineCredentials :execrows
delete from machine_credential where id in
    (select c.id from machine_credential c where c.expires_at <= @expired_before order by c.expires_at limit @most);

-- name: PurgeUsedAssertions :execrows
delete from used_assertion where (organization_id, credential_id, hash) in
    (select a.organization_id, a.credential_id, a.hash from used_assertion a where a.expires_at <= @now order by a.expires_at limit @most);

-- name: PurgeRevokedTokens :execrows
delete from revoked_token where id in
    (select t.id from revoked_token t where t.expires_at <= @now order by t.expires_at limit @most);
