-- +goose Up
-- Refused accesses by member and permission: how many no event has told of yet, and when the next event may. All processes
-- of the service count here, and a stop loses nothing. Rows go when they were quiet for a minute.
create table refusal (
    organization_id uuid        not null,
    user_id         uuid        not null,
    permission      text        not null,
    count           bigint      not null,
    -- What the event will say of the latest call.
    call            json        not null,
    next_event_at   timestamptz not null,
    primary key (organization_id, user_id, permission)
);
create index refusal_next_event_at on refusal (next_event_at);

alter table refusal enable row level security;
alter table refusal force row level security;

-- Requests count in memory; nothing of theirs may see the table.
create policy refusal_worker on refusal for all to {worker} using (true) with check (true);
create policy refusal_owner on refusal for all to {owner} using (true) with check (true);

grant select, insert, update, delete on refusal to {worker};
