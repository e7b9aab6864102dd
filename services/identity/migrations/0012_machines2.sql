-- +goose Up
-- Who made a key, or has rotated it: it is good for what they hold, too. A person's token has none, it is the person's own.
-- Of keys from before, and of those that processes of the version before still make, it is whoever made the service account.
alter table machine_credential add column creator_id uuid;
update machine_credential key set creator_id = account.creator_id
from service_account account
where account.organization_id = key.organization_id and account.id = key.service_account_id;
grant select (creator_id) on machine_credential to "{app}";

drop function find_machine_credential(bytea);
create function find_machine_credential(wanted bytea)
    returns table (id uuid, account_id uuid, service_account_id uuid, organization_id uuid, scopes text[], networks text[],
                   created_at timestamptz, expires_at timestamptz, creator_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.id, c.account_id, c.service_account_id, c.organization_id, c.scopes, c.networks, c.created_at, c.expires_at,
        coalesce(c.creator_id, s.creator_id)
    from machine_credential c
    left join service_account s on s.organization_id = c.organization_id and s.id = c.service_account_id
    where c.hash = wanted
$$;

drop function find_client_key(uuid, uuid);
create function find_client_key(wanted uuid, client uuid)
    returns table (organization_id uuid, public_key jsonb, scopes text[], networks text[], created_at timestamptz, expires_at timestamptz,
                   creator_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.organization_id, c.public_key, c.scopes, c.networks, c.created_at, c.expires_at, coalesce(c.creator_id, s.creator_id)
    from machine_credential c
    join service_account s on s.organization_id = c.organization_id and s.id = c.service_account_id
    where c.id = wanted and c.service_account_id = client and c.public_key is not null
$$;

revoke all on function find_machine_credential(bytea) from public;
revoke all on function find_client_key(uuid, uuid) from public;
grant execute on function find_machine_credential(bytea) to "{app}";
grant execute on function find_client_key(uuid, uuid) to "{app}";
