-- +goose Up
-- The events that were committed and are not yet on their topic. Rows live for milliseconds.
create table outbox (
    -- Taken when the row is inserted, after the changed entity's row was locked: the order of publishing.
    position        bigint generated always as identity primary key,
    event_id        uuid        not null,
    -- Decides the partition; null for facts that are in order with nothing.
    key             uuid,
    organization_id uuid,
    type            text        not null,
    schema          text        not null,
    subject         text        not null,
    occurred_at     timestamptz not null,
    -- Actor, correlation and trace. Text and not jsonb: it is carried, never searched.
    attributes      json        not null,
    payload         bytea       not null
) with (
    -- Every row dies soon after it was born. The usual share-of-the-table thresholds would come too late after a
    -- backlog and the relay would read past its dead rows.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

alter table outbox enable row level security;
alter table outbox force row level security;

-- Requests write events of any organization or of none (a person registers, an organization is created), and can
-- neither read nor take back what they or others wrote.
create policy outbox_append on outbox for insert to {app} with check (true);
create policy outbox_worker on outbox for all to {worker} using (true) with check (true);
create policy outbox_owner on outbox for all to {owner} using (true) with check (true);

grant insert on outbox to {app};
grant select, insert, delete on outbox to {worker};
