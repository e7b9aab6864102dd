-- +goose Up
-- What stays for good: who did what, when, to what, and the proof of the body. Nothing in it is personal but ids.
create table audit_record (
    id              uuid        primary key,
    event_id        uuid        not null,
    -- Null for what happens outside organizations.
    organization_id uuid,
    -- Of an event outside organizations, the person it is about; such a record is shown to the person's organizations.
    person_id       uuid,
    action          text        not null,
    actor_kind      text        not null,
    actor_id        uuid,
    resource_type   text        not null,
    resource_id     text        not null,
    source          text        not null,
    correlation_id  text        not null,
    occurred_at     timestamptz not null,
    recorded_at     timestamptz not null,
    body_hash       bytea       not null check (octet_length(body_hash) = 32),
    check (organization_id is null or person_id is null),
    constraint audit_record_event unique (event_id)
);
-- For a membership that is heard of after what its member did.
create index audit_record_person on audit_record (person_id, occurred_at) where person_id is not null;

-- A record's place in an organization's trail, with everything the trail is searched by: one range of one index is one
-- page. An event of an organization has one entry, one of a person has one for each organization they were in.
create table audit_entry (
    organization_id uuid        not null,
    record_id       uuid        not null references audit_record (id),
    occurred_at     timestamptz not null,
    action          text        not null,
    actor_id        uuid,
    resource_type   text        not null,
    resource_id     text        not null,
    correlation_id  text        not null,
    person_id       uuid,
    -- The record first: whether a record may be seen is asked by it.
    primary key (record_id, organization_id)
);
create index audit_entry_time on audit_entry (organization_id, occurred_at, record_id);
create index audit_entry_actor on audit_entry (organization_id, actor_id, occurred_at, record_id);
create index audit_entry_action on audit_entry (organization_id, action, occurred_at, record_id);
create index audit_entry_resource on audit_entry (organization_id, resource_id, occurred_at, record_id);
create index audit_entry_correlation on audit_entry (organization_id, correlation_id, occurred_at, record_id);

-- What may have to be erased. The column is json and not jsonb: the hash is over exactly this text.
create table audit_body (
    record_id uuid  primary key references audit_record (id),
    -- Whose data it is: who acted, or whom identity's event is about.
    person_id uuid,
    salt      bytea not null check (octet_length(salt) = 32),
    body      json  not null
);
create index audit_body_person on audit_body (person_id) where person_id is not null;

-- Who came into or left which organization, and when: facts, so that the order in which they are heard does not matter.
create table membership_change (
    organization_id uuid        not null,
    user_id         uuid        not null,
    occurred_at     timestamptz not null,
    member          boolean     not null,
    primary key (user_id, organization_id, occurred_at)
);

-- The database itself keeps the trail: no role changes or removes what is written, the tables' owner included.
-- +goose StatementBegin
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit trail is permanent: % of % is refused', tg_op, tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
-- +goose StatementEnd
create trigger audit_record_permanent before update or delete or truncate on audit_record
    for each statement execute function refuse_change();
create trigger audit_entry_permanent before update or delete or truncate on audit_entry
    for each statement execute function refuse_change();
create trigger audit_body_unchanged before update or truncate on audit_body
    for each statement execute function refuse_change();
-- Always: also for sessions that replicate, which other triggers don't fire for.
alter table audit_record enable always trigger audit_record_permanent;
alter table audit_entry enable always trigger audit_entry_permanent;
alter table audit_body enable always trigger audit_body_unchanged;

alter table audit_record enable row level security;
alter table audit_record force row level security;
alter table audit_entry enable row level security;
alter table audit_entry force row level security;
alter table audit_body enable row level security;
alter table audit_body force row level security;
alter table membership_change enable row level security;
alter table membership_change force row level security;

create policy audit_entry_organization on audit_entry for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
-- Whoever sees an entry sees its record and its body; nobody else does.
create policy audit_record_entry on audit_record for select to "{app}"
    using (exists (select from audit_entry where audit_entry.record_id = audit_record.id
        and audit_entry.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid));
create policy audit_body_entry on audit_body for select to "{app}"
    using (exists (select from audit_entry where audit_entry.record_id = audit_body.record_id
        and audit_entry.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid));
create policy membership_change_organization on membership_change for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);

create policy audit_record_worker on audit_record for all to "{worker}" using (true) with check (true);
create policy audit_entry_worker on audit_entry for all to "{worker}" using (true) with check (true);
create policy audit_body_worker on audit_body for all to "{worker}" using (true) with check (true);
create policy membership_change_worker on membership_change for all to "{worker}" using (true) with check (true);
create policy audit_record_owner on audit_record for all to "{owner}" using (true) with check (true);
create policy audit_entry_owner on audit_entry for all to "{owner}" using (true) with check (true);
create policy audit_body_owner on audit_body for all to "{owner}" using (true) with check (true);
create policy membership_change_owner on membership_change for all to "{owner}" using (true) with check (true);

grant select on audit_record, audit_entry, audit_body, membership_change to "{app}";
grant select, insert on audit_record, audit_entry, membership_change to "{worker}";
grant select, insert, delete on audit_body to "{worker}";
