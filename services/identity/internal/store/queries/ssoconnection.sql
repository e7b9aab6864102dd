-- name: InsertSsoConnection :exec
insert into sso_connection (organization_id, id, display_name, issuer, client_id, sealed_secret, default_role_id, required, revision, created_at, updated_at)
values (@organization_id, @id, @display_name, @issuer, @client_id, @sealed_secret, @default_role_id, @required, @revision, @created_at, @updated_at);

-- name: ListSsoConnections :many
select * from sso_connection where organization_id = @organization_id order by created_at, id;

-- name: GetSsoConnection :one
select * from sso_connection where organization_id = @organization_id and id = @id;

-- name: LockSsoConnection :one
select * from sso_connection where organization_id = @organization_id and id = @id for update;

-- name: UpdateSsoConnection :exec
update sso_connection set display_name = @display_name, issuer = @issuer, client_id = @client_id, sealed_secret = @sealed_secret,
    default_role_id = @default_role_id, required = @required, revision = @revision, updated_at = @updated_at
where organization_id = @organization_id and id = @id;

-- name: DeleteSsoConnection :exec
delete from sso_connection where organization_id = @organization_id and id = @id;

-- name: KeepDomain :exec
insert into verified_domain (organization_id, domain_id, domain, capture, verified_at)
values (@organization_id, @domain_id, @domain, @capture, @verified_at)
on conflict (organization_id, domain_id) do update set
    domain = excluded.domain, capture = excluded.capture, verified_at = excluded.verified_at;

-- name: CaptureDomain :exec
update verified_domain set capture = @capture where organization_id = @organization_id and domain_id = @domain_id;

-- name: DropDomain :exec
delete from verified_domain where organization_id = @organization_id and domain_id = @domain_id;
