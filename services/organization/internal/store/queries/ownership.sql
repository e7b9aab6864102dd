-- name: InsertTransfer :exec
insert into ownership_transfer (organization_id, id, owner_id, user_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6);

-- name: GetTransfer :one
select * from ownership_transfer where organization_id = $1;

-- name: DeleteTransfer :exec
delete from ownership_transfer where organization_id = $1;

-- name: GetTransferMail :one
select sqlc.embed(ownership_transfer), organization.display_name as organization_display_name,
    (select profile.display_name from profile where profile.user_id = ownership_transfer.owner_id)::text as owner_display_name,
    (select profile.email from profile where profile.user_id = ownership_transfer.user_id)::text as email
from ownership_transfer join organization on organization.id = ownership_transfer.organization_id
where ownership_transfer.organization_id = $1 and ownership_transfer.id = $2;
