-- name: CountInvitationLinks :one
select count(*) from invitation_link where organization_id = $1;

-- name: InsertInvitationLink :exec
insert into invitation_link (organization_id, id, role_id, creator_id, email_domain, max_uses, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: InsertInvitationLinkToken :exec
insert into invitation_link_token (hash, organization_id, link_id) values ($1, $2, $3);

-- name: FindInvitationLinkByToken :one
select organization_id, link_id from invitation_link_token where hash = $1;

-- name: LockInvitationLink :one
select * from invitation_link where organization_id = $1 and id = $2 for no key update;

-- name: UpdateInvitationLink :exec
update invitation_link set uses = $3, revoked_at = sqlc.narg(revoked_at) where organization_id = $1 and id = $2;
