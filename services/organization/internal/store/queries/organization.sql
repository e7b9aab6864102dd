-- name: InsertOrganization :one
insert into organization (id, display_name, slug, created_at, updated_at, revision)
values ($1, $2, $3, $4, $4, 1)
on conflict (slug) do nothing
returning true;

-- name: GetOrganization :one
select id, display_name, slug, created_at, updated_at, revision from organization where id = $1;

-- name: GetOrganizationForUpdate :one
select id, display_name, slug, created_at, updated_at, revision from organization where id = $1 for no key update;

-- name: UpdateOrganization :exec
update organization set display_name = $2, slug = $3, updated_at = $4, revision = $5 where id = $1;

-- name: EnterOrganization :exec
select set_config('app.organization_id', sqlc.arg(organization_id), true);
