-- +goose Up
-- The events whose effect is in this database. A row is written in the transaction of the effect, so that both are
-- there or neither is.
create table inbox (
    consumer     text        not null,
    event_id     uuid        not null,
    processed_at timestamptz not null,
    primary key (consumer, event_id)
);

-- For the cleaning up of rows that no topic can bring back any more.
create index inbox_processed_at on inbox using brin (processed_at);

alter table inbox enable row level security;
alter table inbox force row level security;

create policy inbox_worker on inbox for all to {worker} using (true) with check (true);
create policy inbox_owner on inbox for all to {owner} using (true) with check (true);

grant select, insert, delete on inbox to {worker};
