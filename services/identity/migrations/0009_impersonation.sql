-- +goose Up
-- Operators who act in somebody's name. The id is the session of the token; without a refresh token nothing prolongs it.
create table impersonation (
    id               uuid        primary key,
    operator_id      uuid        not null references account (id) on delete cascade,
    -- The operator's own session, with which it ends.
    session_id       uuid        not null,
    account_id       uuid        not null references account (id) on delete cascade,
    organization_id  uuid        not null,
    support_grant_id uuid        not null,
    writes           boolean     not null,
    reason           text        not null check (char_length(reason) between 1 and 500),
    created_at       timestamptz not null,
    expires_at       timestamptz not null check (expires_at > created_at),
    ended_at         timestamptz,
    check (operator_id <> account_id)
);
create index impersonation_operator on impersonation (operator_id, created_at, id);
create index impersonation_account on impersonation (account_id);
-- Those that end with a grant.
create index impersonation_grant on impersonation (organization_id, support_grant_id) where ended_at is null;

-- Whether an impersonation goes on: it was not ended, nor the operator's session.
create function find_impersonation(wanted uuid, moment timestamptz)
    returns table (account_id uuid, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select i.account_id, i.expires_at
    from impersonation i join session s on s.id = i.session_id and s.account_id = i.operator_id
    where i.id = wanted and i.ended_at is null and s.expires_at > moment
$$;
revoke all on function find_impersonation(uuid, timestamptz) from public;
grant execute on function find_impersonation(uuid, timestamptz) to "{app}";

alter table impersonation enable row level security;
alter table impersonation force row level security;
-- An operator sees their own, and nobody else's.
create policy impersonation_operator on impersonation for all to "{app}"
    using (operator_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (operator_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy impersonation_worker on impersonation for all to "{worker}" using (true) with check (true);
create policy impersonation_owner on impersonation for all to "{owner}" using (true) with check (true);
grant select, insert, update (ended_at) on impersonation to "{app}";
grant select, update (ended_at) on impersonation to "{worker}";
