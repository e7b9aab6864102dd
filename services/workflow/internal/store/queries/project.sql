-- name: InsertProject :exec
insert into project (organization_id, id, key, display_name, description, created_at, updated_at, owner_id)
values (@organization_id, @id, @key, @display_name, @description, @created_at, @created_at, @owner_id);

-- name: GetProject :one
select * from project where organization_id = @organization_id and id = @id;

-- name: LockProject :one
select * from project where organization_id = @organization_id and id = @id for no key update;

-- name: UpdateProject :exec
update project
set display_name = @display_name, description = @description, archived = @archived, updated_at = @updated_at,
    revision = @revision, own_revision = @revision
where organization_id = @organization_id and id = @id;

-- name: UpdateProjectRevision :exec
update project set revision = @revision where organization_id = @organization_id and id = @id;

-- name: ListProjectRevisions :many
select organization_id, id, revision from project
where (organization_id, id) in (select unnest(@organization_ids::uuid[]), unnest(@ids::uuid[]));
