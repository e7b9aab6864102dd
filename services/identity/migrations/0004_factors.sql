-- +goose Up
-- When and how a session was last proven. Sessions from before this count as begun with the password alone; the defaults
-- are for processes of the version before, which know no better.
alter table session
    add column authenticated_at timestamptz not null default now(),
    -- Names of RFC 8176.
    add column methods          text[]      not null default '{pwd}';
update session set authenticated_at = created_at;
grant update (authenticated_at, methods) on session to "{app}";

-- What a person has besides the password.
create table factor (
    id              uuid        primary key,
    account_id      uuid        not null references account (id) on delete cascade,
    kind            text        not null check (kind in ('totp', 'passkey')),
    name            text        not null,
    created_at      timestamptz not null,
    -- Null for one that waits for its first code and counts for nothing yet.
    confirmed_at    timestamptz,
    last_used_at    timestamptz,
    -- TOTP: the secret, sealed with the service's keys and bound to the id, and the newest time step that was accepted.
    sealed_secret   bytea,
    last_step       bigint,
    -- Passkeys: the credential's id and what verifies it.
    credential_id   bytea       unique,
    public_key      bytea,
    transports      text[]      not null default '{}',
    flags           smallint    not null default 0,
    sign_count      bigint      not null default 0,
    -- When its sign counter went back, as that of a copy does.
    clone_warned_at timestamptz,
    check (kind <> 'totp' or sealed_secret is not null),
    check (kind <> 'passkey' or (credential_id is not null and public_key is not null and confirmed_at is not null))
);
create index factor_account on factor (account_id, created_at, id);
create index factor_unconfirmed on factor (created_at) where confirmed_at is null;
alter table factor enable row level security;
alter table factor force row level security;
create policy factor_own on factor for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy factor_worker on factor for all to "{worker}" using (true) with check (true);
create policy factor_owner on factor for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (name, confirmed_at, last_used_at, last_step, flags, sign_count, clone_warned_at) on factor to "{app}";
grant select (id, created_at, confirmed_at), delete on factor to "{worker}";

-- Codes on paper, each good once: a used one is gone.
create table backup_code (
    account_id uuid  not null references account (id) on delete cascade,
    -- Keyed hash of account and code.
    hash       bytea not null,
    primary key (account_id, hash)
);
alter table backup_code enable row level security;
alter table backup_code force row level security;
create policy backup_code_own on backup_code for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy backup_code_owner on backup_code for all to "{owner}" using (true) with check (true);
grant select, insert, delete on backup_code to "{app}";

-- How many wrong codes and passwords an account was tried with since when. A try is counted before it is looked at.
create table proof_budget (
    account_id uuid        primary key references account (id) on delete cascade,
    tries      integer     not null,
    since      timestamptz not null
);
alter table proof_budget enable row level security;
alter table proof_budget force row level security;
create policy proof_budget_own on proof_budget for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy proof_budget_owner on proof_budget for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (tries, since) on proof_budget to "{app}";

-- What somebody was asked to prove: the second step of a login, or to sign with a passkey. Nobody may be signed in yet,
-- so the key to the row is the hash of what the client was given, which the transaction names in app.challenge.
create table challenge (
    -- SHA-256 of 256 random bits.
    hash           bytea       primary key,
    kind           text        not null check (kind in ('login', 'passkey', 'registration')),
    -- Null while it is open whose passkey will be shown.
    account_id     uuid        references account (id) on delete cascade,
    user_agent     text        not null,
    client_address text        not null,
    tries          integer     not null default 0,
    -- What the signature will be checked against; holds no secret.
    ceremony       bytea,
    expires_at     timestamptz not null,
    -- Of the password that was the first step: a second step after it was replaced is worth nothing.
    password_revision integer  not null,
    -- Whether the first step came with the token of a known device.
    device_known   boolean     not null
);
create index challenge_expires_at on challenge (expires_at);
create index challenge_account on challenge (account_id) where account_id is not null;
alter table challenge enable row level security;
alter table challenge force row level security;
create policy challenge_held on challenge for all to "{app}"
    using (hash = decode(nullif(current_setting('app.challenge', true), ''), 'hex'))
    with check (hash = decode(nullif(current_setting('app.challenge', true), ''), 'hex'));
create policy challenge_worker on challenge for all to "{worker}" using (true) with check (true);
create policy challenge_owner on challenge for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (tries) on challenge to "{app}";
grant select (hash, expires_at), delete on challenge to "{worker}";

-- Look-ups by what a stranger must already hold, as in the first migration.
create function find_passkey(wanted bytea)
    returns table (account_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select f.account_id from factor f where f.credential_id = wanted
$$;

-- How a session was last proven, and whether its person has a second factor. It is volatile so that it sees what was
-- waited for by claim_refresh_token in the same statement.
create function find_strength(wanted uuid)
    returns table (authenticated_at timestamptz, methods text[], secured boolean)
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select s.authenticated_at, s.methods,
           exists (select from factor f where f.account_id = s.account_id and f.confirmed_at is not null)
    from session s where s.id = wanted
$$;

-- Those of the accounts that have a second factor.
create function find_secured(wanted uuid[])
    returns table (account_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select distinct f.account_id from factor f where f.account_id = any (wanted) and f.confirmed_at is not null
$$;

revoke all on function find_passkey(bytea) from public;
revoke all on function find_strength(uuid) from public;
revoke all on function find_secured(uuid[]) from public;
grant execute on function find_passkey(bytea) to "{app}";
grant execute on function find_strength(uuid) to "{app}";
grant execute on function find_secured(uuid[]) to "{app}";
