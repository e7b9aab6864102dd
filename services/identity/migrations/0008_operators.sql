-- +goose Up
-- Who runs the deployment: people with an account, apart from every organization.
create table operator (
    account_id uuid        primary key references account (id) on delete cascade,
    role       text        not null check (role in ('support', 'system', 'admin')),
    -- The operator who made them one; null for the command line.
    creator_id uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- Grows with every change; the etag.
    revision   bigint      not null
);
create index operator_created on operator (created_at, account_id);

-- What an account may do with the deployment; null for nearly all.
create function find_operator(wanted uuid)
    returns text
    language sql stable security definer set search_path = public, pg_temp
as $$
    select o.role from operator o where o.account_id = wanted
$$;

-- find_operator, and keeps it so until the transaction ends: a session that begins with a role can't slip past the end of
-- all sessions that comes with the role's. Null, which is no role, can't be kept: nobody's sessions end with becoming an
-- operator.
create function hold_operator(wanted uuid)
    returns text
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select o.role from operator o where o.account_id = wanted for share
$$;

-- A request touches operators as one of their admins only, whatever its token says; commands do as the worker.
alter table operator enable row level security;
alter table operator force row level security;
create policy operator_admin on operator for all to "{app}"
    using (find_operator(nullif(current_setting('app.user_id', true), '')::uuid) = 'admin')
    with check (find_operator(nullif(current_setting('app.user_id', true), '')::uuid) = 'admin');
create policy operator_worker on operator for all to "{worker}" using (true) with check (true);
create policy operator_owner on operator for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (role, updated_at, revision) on operator to "{app}";
grant select, insert, delete, update (role, updated_at, revision) on operator to "{worker}";

-- Operators as people, for a command.
create function all_operators()
    returns table (account_id uuid, email text, display_name text, role text, secured boolean, creator_id uuid,
                   created_at timestamptz, updated_at timestamptz, revision bigint)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select o.account_id, a.email, a.display_name, o.role,
           exists (select from factor f where f.account_id = o.account_id and f.confirmed_at is not null),
           o.creator_id, o.created_at, o.updated_at, o.revision
    from operator o join account a on a.id = o.account_id
$$;

-- The same for requests: shown to the admin that the transaction acts as.
create function list_operators()
    returns table (account_id uuid, email text, display_name text, role text, secured boolean, creator_id uuid,
                   created_at timestamptz, updated_at timestamptz, revision bigint)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select * from all_operators() where find_operator(nullif(current_setting('app.user_id', true), '')::uuid) = 'admin'
$$;

revoke all on function find_operator(uuid) from public;
revoke all on function hold_operator(uuid) from public;
revoke all on function all_operators() from public;
revoke all on function list_operators() from public;
grant execute on function find_operator(uuid) to "{app}";
grant execute on function hold_operator(uuid) to "{app}";
grant execute on function list_operators() to "{app}";
grant execute on function all_operators() to "{worker}";
