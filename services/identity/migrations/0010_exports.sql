-- +goose Up
-- What people asked to have of what there is of them. A row stays for a day after it is over, so that those of a day can be
-- counted.
create table data_export (
    id             uuid        primary key,
    account_id     uuid        not null references account (id) on delete cascade,
    state          text        not null check (state in ('running', 'ready', 'downloaded', 'failed', 'deleted')),
    created_at     timestamptz not null,
    finished_at    timestamptz,
    -- While it runs, when it is given up; later, when the row goes.
    expires_at     timestamptz not null,
    -- The try whose chunks count: one that another has overtaken writes for nothing.
    build_id       uuid,
    size_bytes     bigint      not null default 0,
    failure_reason text        not null default '',
    -- The token of the link is derived from id and nonce and stored nowhere.
    nonce          bytea       not null,
    token_hash     bytea       not null unique,
    -- While somebody downloads it, when that one counts as gone.
    claimed_until  timestamptz
);
create unique index data_export_running on data_export (account_id) where state = 'running';
create index data_export_account on data_export (account_id, created_at, id);
create index data_export_expires_at on data_export (expires_at);

-- The archives, in pieces.
create table data_export_chunk (
    export_id  uuid    not null references data_export (id) on delete cascade,
    build_id   uuid    not null,
    number     integer not null,
    account_id uuid    not null,
    -- Sealed with the service's keys, bound to export, try and number.
    sealed     bytea   not null check (octet_length(sealed) <= 65536),
    primary key (export_id, build_id, number)
);
-- What is sealed does not get smaller.
alter table data_export_chunk alter column sealed set storage external;
create index data_export_chunk_account on data_export_chunk (account_id);

alter table data_export enable row level security;
alter table data_export force row level security;
create policy data_export_own on data_export for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy data_export_worker on data_export for all to "{worker}" using (true) with check (true);
create policy data_export_owner on data_export for all to "{owner}" using (true) with check (true);
grant select (id, account_id, state, created_at, finished_at, expires_at, build_id, size_bytes, failure_reason, claimed_until),
    insert, update (state, finished_at, expires_at, claimed_until) on data_export to "{app}";
grant select (id, account_id, state, created_at, finished_at, expires_at, build_id, size_bytes, failure_reason), delete,
    update (state, finished_at, expires_at, build_id, size_bytes, failure_reason) on data_export to "{worker}";

alter table data_export_chunk enable row level security;
alter table data_export_chunk force row level security;
create policy data_export_chunk_own on data_export_chunk for select to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy data_export_chunk_worker on data_export_chunk for all to "{worker}" using (true) with check (true);
create policy data_export_chunk_owner on data_export_chunk for all to "{owner}" using (true) with check (true);
grant select on data_export_chunk to "{app}";
grant select (export_id, build_id, number), insert, delete on data_export_chunk to "{worker}";

-- Whose archive a token leads to, and what the mail about an export is made from, as in the first migration.
create function find_data_export(wanted bytea)
    returns table (id uuid, account_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select e.id, e.account_id from data_export e where e.token_hash = wanted
$$;

create function find_data_export_mail(wanted uuid)
    returns table (account_id uuid, state text, nonce bytea, expires_at timestamptz, failure_reason text)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select e.account_id, e.state, e.nonce, e.expires_at, e.failure_reason from data_export e where e.id = wanted
$$;

revoke all on function find_data_export(bytea) from public;
revoke all on function find_data_export_mail(uuid) from public;
grant execute on function find_data_export(bytea) to "{app}";
grant execute on function find_data_export_mail(uuid) to "{app}";

-- What people get of their own (platform/person) and no policy shows them as theirs: the service accounts that they made.
create policy service_account_worker_read on service_account for select to "{worker}" using (true);
grant select (organization_id, id, display_name, description, creator_id, created_at) on service_account to "{worker}";
create index service_account_creator on service_account (creator_id);
-- Pictures, which whoever has their path is shown.
create policy avatar_worker_read on avatar for select to "{worker}" using (true);
grant select on avatar to "{worker}";
