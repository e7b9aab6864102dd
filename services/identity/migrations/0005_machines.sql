-- +goose Up
-- Members of an organization without a person.
create table service_account (
    organization_id uuid        not null,
    id              uuid        not null,
    display_name    text        not null,
    description     text        not null,
    creator_id      uuid        not null,
    -- Grows with every change; the etag and the order of updates in other services.
    revision        bigint      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (organization_id, id),
    -- A client of OAuth 2 names itself by this alone.
    constraint service_account_id_key unique (id)
);
create index service_account_created on service_account (organization_id, created_at, id);
alter table service_account enable row level security;
alter table service_account force row level security;
create policy service_account_organization on service_account for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy service_account_owner on service_account for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (display_name, description, revision, updated_at) on service_account to "{app}";

-- Personal access tokens and the keys of service accounts: one or the other, never both. One ends by being deleted.
create table machine_credential (
    id                 uuid        primary key,
    -- The person of an access token.
    account_id         uuid        references account (id) on delete cascade,
    -- The service account of a key.
    service_account_id uuid,
    -- The service account's organization; of an access token the one that it is limited to, if any.
    organization_id    uuid,
    display_name       text        not null,
    -- SHA-256 of the secret, which has 256 random bits: there is nothing to guess.
    hash               bytea       check (octet_length(hash) = 32),
    -- In place of a secret: a JSON Web Key, for assertions that the client signs.
    public_key         jsonb,
    scopes             text[]      not null check (cardinality(scopes) > 0),
    networks           text[]      not null,
    created_at         timestamptz not null,
    expires_at         timestamptz not null,
    -- How long it was made for, whatever became of expires_at: what takes its place is good for as long.
    lifetime_seconds   bigint      not null check (lifetime_seconds > 0),
    last_used_at       timestamptz,
    last_used_address  text        not null default '',
    constraint machine_credential_hash_key unique (hash),
    constraint machine_credential_place_key unique (organization_id, id),
    constraint machine_credential_one_owner check ((account_id is null) <> (service_account_id is null)),
    constraint machine_credential_one_proof check ((hash is null) <> (public_key is null)),
    constraint machine_credential_key_in_organization check (service_account_id is null or organization_id is not null),
    foreign key (organization_id, service_account_id) references service_account (organization_id, id) on delete cascade
);
create index machine_credential_account on machine_credential (account_id, created_at, id) where account_id is not null;
create index machine_credential_service_account on machine_credential (organization_id, service_account_id, created_at, id);
create index machine_credential_expires_at on machine_credential (expires_at);
alter table machine_credential enable row level security;
alter table machine_credential force row level security;
create policy machine_credential_person on machine_credential for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
-- An organization sees its service accounts' keys, and no person's token.
create policy machine_credential_organization on machine_credential for all to "{app}"
    using (service_account_id is not null and organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (service_account_id is not null and organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy machine_credential_worker on machine_credential for all to "{worker}" using (true) with check (true);
create policy machine_credential_owner on machine_credential for all to "{owner}" using (true) with check (true);
grant select (id, account_id, service_account_id, organization_id, display_name, public_key, scopes, networks, created_at,
    expires_at, lifetime_seconds, last_used_at, last_used_address), insert, delete, update (expires_at) on machine_credential to "{app}";
grant select (id, last_used_at, expires_at), delete, update (last_used_at, last_used_address) on machine_credential to "{worker}";

-- Assertions that clients have signed and shown: each is good once.
create table used_assertion (
    organization_id uuid        not null,
    credential_id   uuid        not null,
    -- SHA-256 of the assertion's jti.
    hash            bytea       not null check (octet_length(hash) = 32),
    expires_at      timestamptz not null,
    primary key (organization_id, credential_id, hash),
    foreign key (organization_id, credential_id) references machine_credential (organization_id, id) on delete cascade
);
create index used_assertion_expires_at on used_assertion (expires_at);
alter table used_assertion enable row level security;
alter table used_assertion force row level security;
create policy used_assertion_organization on used_assertion for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy used_assertion_worker on used_assertion for all to "{worker}" using (true) with check (true);
create policy used_assertion_owner on used_assertion for all to "{owner}" using (true) with check (true);
grant select, insert on used_assertion to "{app}";
grant select, delete on used_assertion to "{worker}";

-- Tokens that were issued for a key and revoked before they expired.
create table revoked_token (
    id              uuid        primary key,
    organization_id uuid        not null,
    credential_id   uuid        not null,
    expires_at      timestamptz not null,
    foreign key (organization_id, credential_id) references machine_credential (organization_id, id) on delete cascade
);
create index revoked_token_credential on revoked_token (organization_id, credential_id);
create index revoked_token_expires_at on revoked_token (expires_at);
alter table revoked_token enable row level security;
alter table revoked_token force row level security;
create policy revoked_token_organization on revoked_token for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy revoked_token_worker on revoked_token for all to "{worker}" using (true) with check (true);
create policy revoked_token_owner on revoked_token for all to "{owner}" using (true) with check (true);
grant select, insert on revoked_token to "{app}";
grant select, delete on revoked_token to "{worker}";

-- Look-ups by what a stranger must already hold, in the manner of find_session.
create function find_machine_credential(wanted bytea)
    returns table (id uuid, account_id uuid, service_account_id uuid, organization_id uuid, scopes text[], networks text[],
                   created_at timestamptz, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.id, c.account_id, c.service_account_id, c.organization_id, c.scopes, c.networks, c.created_at, c.expires_at
    from machine_credential c where c.hash = wanted
$$;

-- The key that a client says it has signed with. What it holds proves nothing before the signature is verified.
create function find_client_key(wanted uuid, client uuid)
    returns table (organization_id uuid, public_key jsonb, scopes text[], networks text[], created_at timestamptz, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.organization_id, c.public_key, c.scopes, c.networks, c.created_at, c.expires_at
    from machine_credential c where c.id = wanted and c.service_account_id = client and c.public_key is not null
$$;

create function is_credential_good(wanted uuid, token uuid, at timestamptz)
    returns boolean
    language sql stable security definer set search_path = public, pg_temp
as $$
    select exists (select from machine_credential c where c.id = wanted and c.expires_at > at)
        and not exists (select from revoked_token t where t.id = token)
$$;

revoke all on function find_machine_credential(bytea) from public;
revoke all on function find_client_key(uuid, uuid) from public;
revoke all on function is_credential_good(uuid, uuid, timestamptz) from public;
grant execute on function find_machine_credential(bytea) to "{app}";
grant execute on function find_client_key(uuid, uuid) to "{app}";
grant execute on function is_credential_good(uuid, uuid, timestamptz) to "{app}";
