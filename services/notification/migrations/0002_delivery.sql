-- +goose Up
-- Mails that are to be sent or were. A row holds what the mail is about and never what is secret or where it goes:
-- addresses, names, codes and links are fetched when it is sent.
create table delivery (
    -- Derived from event and person, so that the same event makes the same row; the Message-ID is made from it.
    id              uuid        primary key,
    event_id        uuid        not null,
    kind            text        not null,
    -- Null for a registration, which is outside any organization.
    organization_id uuid,
    -- Null when the address has no user yet.
    user_id         uuid,
    actor_id        uuid,
    registration_id uuid,
    invitation_id   uuid,
    project_id      uuid,
    task_id         uuid,
    task_key        text        not null default '',
    task_title      text        not null default '',
    task_status     text        not null default '',
    state           text        not null default 'pending' check (state in ('pending', 'sent', 'failed', 'skipped')),
    attempts        integer     not null default 0,
    -- Why it failed or was skipped, in words without addresses.
    reason          text        not null default '',
    created_at      timestamptz not null,
    finished_at     timestamptz,
    check (num_nonnulls(registration_id, invitation_id, task_id) = 1),
    check ((state = 'pending') = (finished_at is null)),
    check (task_id is null or (user_id is not null and organization_id is not null))
);
create index delivery_finished on delivery (finished_at) where finished_at is not null;

alter table delivery enable row level security;
alter table delivery force row level security;

-- No request ever reads or writes a delivery.
create policy delivery_worker on delivery for all to "{worker}" using (true) with check (true);
create policy delivery_owner on delivery for all to "{owner}" using (true) with check (true);

grant select, insert, delete, update (state, attempts, reason, finished_at) on delivery to "{worker}";
