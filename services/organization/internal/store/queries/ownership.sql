-- name: InsertTransfer :exec
insert into ownership_transfer (organization_id, id, owner_id, user_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6);

-- name: GetTransfer :one
select * from ownership_transfer where organization_id = $1;

-- name: DeleteTransfer :exec
delete from ownership_transfer where organization_id = $1;
