-- name: KeepSsoRequirement :execrows
insert into sso_requirement (organization_id, sso_connection_id) values ($1, $2)
on conflict (organization_id) do update set sso_connection_id = excluded.sso_connection_id
    where sso_requirement.sso_connection_id <> excluded.sso_connection_id;

-- name: DropSsoRequirement :execrows
delete from sso_requirement where organization_id = $1 and sso_connection_id = $2;

-- name: GetSsoRequirement :one
select sso_connection_id from sso_requirement where organization_id = $1;

-- name: GetRequiredConnection :one
select sso_requirement.sso_connection_id from sso_requirement
join mail_domain on mail_domain.organization_id = sso_requirement.organization_id and mail_domain.state = 'verified' and mail_domain.capture
where sso_requirement.organization_id = sqlc.arg(organization_id) and mail_domain.name = sqlc.arg(domain);

-- name: FindRequiring :many
select organization_id::uuid as organization_id from find_requiring(sqlc.arg(user_id)::uuid);

-- name: FindOwners :many
select user_id::uuid as user_id from find_owners(sqlc.arg(organization_id)::uuid, sqlc.arg(at_most)::integer);
