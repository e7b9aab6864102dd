-- +goose Up
-- The organizations whose data this service has erased. Their events are dropped, so that one that comes late brings
-- nothing back. Rows stay: a topic may bring events back for as long as it keeps them.
create table forgotten_organization (
    -- The organization's. It has another name elsewhere, by which what must be erased is found.
    id           uuid        primary key,
    forgotten_at timestamptz not null
);

alter table forgotten_organization enable row level security;
alter table forgotten_organization force row level security;

create policy forgotten_organization_worker on forgotten_organization for all to "{worker}" using (true) with check (true);
create policy forgotten_organization_owner on forgotten_organization for all to "{owner}" using (true) with check (true);

-- The right to delete is what locking the table takes; nothing deletes.
grant select, insert, delete on forgotten_organization to "{worker}";
