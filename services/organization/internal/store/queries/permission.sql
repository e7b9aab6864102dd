-- name: InsertPermission :one
insert into permission (organization_id, name, description, created_at) values ($1, $2, $3, $4)
on conflict do nothing
returning true;

-- name: GetPermission :one
select * from permission where organization_id = $1 and name = $2;

-- name: UpdatePermission :exec
update permission set description = $3 where organization_id = $1 and name = $2;

-- name: DeletePermission :exec
delete from permission where organization_id = $1 and name = $2;
