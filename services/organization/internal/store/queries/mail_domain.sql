-- name: CountDomains :one
select count(*) from mail_domain where organization_id = $1;

-- name: InsertDomain :one
insert into mail_domain (organization_id, id, name, proof, state, auto_join_role_id, capture, misses, created_at, check_at, revision)
values ($1, $2, $3, $4, 'pending', '', false, 0, $5, $5, 1)
on conflict on constraint mail_domain_name do nothing
returning true;

-- name: GetDomain :one
select * from mail_domain where organization_id = $1 and id = $2;

-- name: LockDomain :one
select * from mail_domain where organization_id = $1 and id = $2 for no key update;

-- name: ShareDomain :one
select * from mail_domain where organization_id = $1 and id = $2 for share;

-- name: UpdateDomain :exec
update mail_domain set state = $3, auto_join_role_id = $4, capture = $5, misses = $6, verified_at = sqlc.narg(verified_at),
    check_at = $7, revision = $8
where organization_id = $1 and id = $2;

-- name: DeleteDomain :exec
delete from mail_domain where organization_id = $1 and id = $2;

-- name: EnterMailDomain :exec
select set_config('app.mail_domain', sqlc.arg(name), true);

-- name: FindVerifiedDomain :one
select * from mail_domain where name = $1 and state = 'verified';

-- name: GetDueDomains :many
select organization_id, id, name, proof from mail_domain where state = 'verified' and check_at <= $1 order by check_at limit $2;

-- name: GetActiveOwners :many
select user_id from member where organization_id = $1 and 'owner' = any (role_ids) and suspended_at is null order by joined_at limit $2;
