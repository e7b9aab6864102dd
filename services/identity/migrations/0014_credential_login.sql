-- +goose Up
-- The login that a person's access token was made in: an organization's policy measures the token by it. Of tokens from before,
-- and of those that processes of the version before still make, nobody knows it, so a policy that asks for something
-- refuses them until they are rotated. And what has taken a rotated credential's place: it is rotated once.
alter table machine_credential
    add column authenticated_at  timestamptz,
    add column methods           text[]  not null default '{}',
    add column sso_connection_id uuid,
    add column sso_bypassed      boolean not null default false,
    add column successor_id      uuid;
grant select (authenticated_at, methods, sso_connection_id, sso_bypassed, successor_id), update (successor_id) on machine_credential to "{app}";

drop function find_machine_credential(bytea);
create function find_machine_credential(wanted bytea)
    returns table (id uuid, account_id uuid, service_account_id uuid, organization_id uuid, scopes text[], networks text[],
                   created_at timestamptz, expires_at timestamptz, creator_id uuid,
                   authenticated_at timestamptz, methods text[], sso_connection_id uuid, sso_bypassed boolean)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.id, c.account_id, c.service_account_id, c.organization_id, c.scopes, c.networks, c.created_at, c.expires_at,
        coalesce(c.creator_id, s.creator_id), c.authenticated_at, c.methods, c.sso_connection_id, c.sso_bypassed
    from machine_credential c
    left join service_account s on s.organization_id = c.organization_id and s.id = c.service_account_id
    where c.hash = wanted
$$;
revoke all on function find_machine_credential(bytea) from public;
grant execute on function find_machine_credential(bytea) to "{app}";
