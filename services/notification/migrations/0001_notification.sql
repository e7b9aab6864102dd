-- +goose Up
-- What a person was told within the product. A row is the person's own, whatever organization it is about.
create table notification (
    -- Derived from event and person, so that the same event makes the same row.
    id              uuid        primary key,
    user_id         uuid        not null,
    organization_id uuid        not null,
    event_id        uuid        not null,
    kind            text        not null,
    title           text        not null,
    actor_id        uuid,
    project_id      uuid        not null,
    task_id         uuid        not null,
    task_key        text        not null,
    -- When the event happened, so that a consumer that is behind does not shuffle the list.
    created_at      timestamptz not null,
    read_at         timestamptz,
    unique (event_id, user_id)
);
create index notification_newest on notification (user_id, created_at desc, id desc);
create index notification_unread on notification (user_id) where read_at is null;

alter table notification enable row level security;
alter table notification force row level security;

create policy notification_own on notification for all to "{app}"
    using (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy notification_worker on notification for all to "{worker}" using (true) with check (true);
create policy notification_owner on notification for all to "{owner}" using (true) with check (true);

grant select, update (read_at) on notification to "{app}";
grant select, insert on notification to "{worker}";

-- What a person wants to hear, and where. Only rows that were ever set; everything else is on.
create table preference (
    user_id    uuid        not null,
    kind       text        not null,
    channel    text        not null,
    enabled    boolean     not null,
    updated_at timestamptz not null,
    primary key (user_id, kind, channel)
);

alter table preference enable row level security;
alter table preference force row level security;

create policy preference_own on preference for all to "{app}"
    using (user_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy preference_worker on preference for select to "{worker}" using (true);
create policy preference_owner on preference for all to "{owner}" using (true) with check (true);

grant select, insert, update on preference to "{app}";
grant select on preference to "{worker}";
