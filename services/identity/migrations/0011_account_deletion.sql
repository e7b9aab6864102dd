-- +goose Up
-- When the deletion that the user has asked for begins. Nobody gets in while it is set; it is read under the row's lock.
alter table account add column leaves_at timestamptz;
grant update (leaves_at) on account to "{app}";

-- The latest try to delete a user (platform/deletion). The row outlives the account and holds nothing of it but ids.
create table deletion (
    -- The user's.
    id             uuid        primary key,
    attempt_id     uuid        not null,
    state          text        not null check (state in ('pending', 'preparing', 'erasing', 'deleted', 'cancelled', 'failed')),
    requested_at   timestamptz not null,
    started_at     timestamptz not null,
    erasing_at     timestamptz,
    ended_at       timestamptz,
    failure_reason text        not null default ''
);
create index deletion_started_at on deletion (started_at) where state in ('pending', 'preparing', 'erasing');

-- Every service's part in it.
create table deletion_step (
    deletion_id uuid        not null references deletion (id) on delete cascade,
    service     text        not null,
    state       text        not null check (state in ('preparing', 'prepared', 'refused', 'erasing', 'erased')),
    attempts    integer     not null,
    asked_at    timestamptz not null,
    answered_at timestamptz,
    failures    integer     not null default 0,
    last_error  text        not null default '',
    erased_rows bigint      not null default 0,
    primary key (deletion_id, service)
);

alter table deletion enable row level security;
alter table deletion force row level security;
alter table deletion_step enable row level security;
alter table deletion_step force row level security;

create policy deletion_own on deletion for all to "{app}"
    using (id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy deletion_worker on deletion for all to "{worker}" using (true) with check (true);
create policy deletion_owner on deletion for all to "{owner}" using (true) with check (true);
create policy deletion_step_own on deletion_step for all to "{app}"
    using (deletion_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (deletion_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy deletion_step_worker on deletion_step for all to "{worker}" using (true) with check (true);
create policy deletion_step_owner on deletion_step for all to "{owner}" using (true) with check (true);

grant select, insert, update on deletion to "{app}";
grant select, delete on deletion_step to "{app}";
-- The worker takes a deletion through its states, and does by functions what it takes of the account.
grant select, update on deletion to "{worker}";
grant select, insert, update on deletion_step to "{worker}";

-- The user stays after all.
create function keep_account(person uuid) returns void
    language sql volatile security definer set search_path = public, pg_temp
as $$
    update account a set leaves_at = null where a.id = person
$$;

-- The end: what is left goes with the account.
create function delete_account(person uuid) returns void
    language sql volatile security definer set search_path = public, pg_temp
as $$
    delete from account a where a.id = person and exists (select from deletion d where d.id = person and d.state in ('erasing', 'deleted'))
$$;

-- Removes what is known by the user's address only, whoever asked for it, at most so many rows of each sort, and returns how
-- many. It needs the credential, which goes afterwards.
create function erase_address(person uuid, at_most integer) returns bigint
    language sql volatile security definer set search_path = public, pg_temp
as $$
    with known as (
        select c.email_key from credential c
        where c.account_id = person and exists (select from deletion d where d.id = person and d.state = 'erasing')
    ), asked as (
        delete from registration where id in (select r.id from registration r join known using (email_key) limit at_most) returning 1
    ), forgotten as (
        delete from password_reset where id in (select r.id from password_reset r join known using (email_key) limit at_most) returning 1
    ), wanted as (
        delete from email_change where id in (select e.id from email_change e join known using (email_key) limit at_most) returning 1
    )
    select (select count(*) from asked) + (select count(*) from forgotten) + (select count(*) from wanted)
$$;

revoke all on function keep_account(uuid) from public;
revoke all on function delete_account(uuid) from public;
revoke all on function erase_address(uuid, integer) from public;
grant execute on function keep_account(uuid) to "{worker}";
grant execute on function delete_account(uuid) to "{worker}";
grant execute on function erase_address(uuid, integer) to "{worker}";
