-- +goose Up
-- What can be done with an organization. 'deletion_pending' and 'deleting' have a row in deletion.
alter table organization
    add column state text not null default 'active' check (state in ('active', 'suspended', 'deletion_pending', 'deleting')),
    add column suspension_reason text not null default '';

-- The latest try to delete an organization. The row outlives the organization and holds nothing of it but ids.
create table deletion (
    -- The organization's. It has another name elsewhere, by which what must be erased is found.
    id             uuid        primary key,
    attempt_id     uuid        not null,
    state          text        not null check (state in ('pending', 'preparing', 'erasing', 'deleted', 'cancelled', 'failed')),
    requester_id   uuid        not null,
    -- Who were owners when it was asked for. Nobody can become one or cease to be one until it ends.
    reader_ids     uuid[]      not null,
    -- What the organization's state is again when it stays.
    previous_state text        not null,
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
    -- How often the service was asked for this state, when last, and when it answered.
    attempts    integer     not null,
    asked_at    timestamptz not null,
    answered_at timestamptz,
    -- What the service has told of its own failures, or why it refuses.
    failures    integer     not null default 0,
    last_error  text        not null default '',
    erased_rows bigint      not null default 0,
    primary key (deletion_id, service)
);

alter table deletion enable row level security;
alter table deletion force row level security;
alter table deletion_step enable row level security;
alter table deletion_step force row level security;

create policy deletion_organization on deletion for all to "{app}"
    using (id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy deletion_reader on deletion for select to "{app}"
    using (nullif(current_setting('app.user_id', true), '')::uuid = any (reader_ids));
create policy deletion_worker on deletion for all to "{worker}" using (true) with check (true);
create policy deletion_owner on deletion for all to "{owner}" using (true) with check (true);

-- Whoever sees a deletion sees its steps.
create policy deletion_step_deletion on deletion_step for all to "{app}"
    using (exists (select from deletion where deletion.id = deletion_step.deletion_id))
    with check (exists (select from deletion where deletion.id = deletion_step.deletion_id));
create policy deletion_step_worker on deletion_step for all to "{worker}" using (true) with check (true);
create policy deletion_step_owner on deletion_step for all to "{owner}" using (true) with check (true);

grant update (state, suspension_reason) on organization to "{app}";
grant select, insert, update, delete on deletion to "{app}";
grant select, delete on deletion_step to "{app}";
-- The worker takes a deletion through its states; at the end the organization's own row goes.
grant select (id, state, revision), delete, update (state, updated_at, revision) on organization to "{worker}";
grant select, update on deletion to "{worker}";
grant select, insert, update on deletion_step to "{worker}";
