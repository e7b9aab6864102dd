-- +goose Up
-- A key verifies from the moment it is there, signs from signs_from on, until a younger one does, and verifies until
-- verifies_until, when its last token has expired. The defaults are for processes of before, while they still run.
alter table signing_key add column signs_from timestamptz not null default now(), add column verifies_until timestamptz;
update signing_key set signs_from = created_at;
grant select (signs_from, verifies_until) on signing_key to "{app}";
grant update (verifies_until), delete on signing_key to "{worker}";

-- A session ends at ends_at, however much it is used: expires_at is never later.
alter table session
    add column device  text        not null default '',
    add column client  text        not null default '',
    add column ends_at timestamptz not null default now() + interval '2160 hours';

-- What a person has signed in with, so that something new shows.
create table seen_device (
    id            uuid        primary key,
    account_id    uuid        not null references account (id) on delete cascade,
    -- Keyed hash of what tells it from the person's others.
    fingerprint   bytea       not null,
    name          text        not null,
    -- Where it was seen first; empty when that is not known.
    first_address text        not null,
    first_seen_at timestamptz not null,
    last_seen_at  timestamptz not null,
    unique (account_id, fingerprint)
);
alter table seen_device enable row level security;
alter table seen_device force row level security;
create policy seen_device_own on seen_device for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy seen_device_owner on seen_device for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (last_seen_at) on seen_device to "{app}";

-- What a person tells of themselves; empty for nothing.
alter table account
    add column title     text not null default '',
    add column locale    text not null default '',
    add column time_zone text not null default '',
    -- Another with every picture; null for none.
    add column avatar_id uuid;
grant update (title, locale, time_zone, avatar_id) on account to "{app}";

-- People's pictures, as they were encoded here. A request without a user reads one by its id, which can't be guessed.
create table avatar (
    account_id   uuid        primary key references account (id) on delete cascade,
    id           uuid        not null unique,
    content_type text        not null,
    image        bytea       not null,
    created_at   timestamptz not null
);
alter table avatar enable row level security;
alter table avatar force row level security;
create policy avatar_own on avatar for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy avatar_owner on avatar for all to "{owner}" using (true) with check (true);
grant select (account_id), insert, delete on avatar to "{app}";

create function find_avatar(wanted uuid)
    returns table (content_type text, image bytea)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select a.content_type, a.image from avatar a where a.id = wanted
$$;
revoke all on function find_avatar(uuid) from public;
grant execute on function find_avatar(uuid) to "{app}";
