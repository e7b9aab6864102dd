-- +goose Up
-- The answers to requests that brought an Idempotency-Key, kept for a day in the transaction that made them.
create table idempotency (
    actor_id        uuid        not null,
    -- The zero UUID for work outside an organization: a key column can't be null.
    organization_id uuid        not null,
    method          text        not null,
    key             text        not null,
    request_hash    bytea       not null,
    response        bytea,
    expires_at      timestamptz not null,
    primary key (actor_id, organization_id, method, key)
);
create index idempotency_expires_at on idempotency (expires_at);

alter table idempotency enable row level security;
alter table idempotency force row level security;

create policy idempotency_own on idempotency for all to {app}
    using (actor_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (actor_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy idempotency_worker on idempotency for all to {worker} using (true) with check (true);
create policy idempotency_owner on idempotency for all to {owner} using (true) with check (true);

grant select, insert, update on idempotency to {app};
grant select, delete on idempotency to {worker};
