-- +goose Up
-- What an organization's own record is searched by stands in the record: an entry that repeats it cost an eighth of what
-- recording an event takes. Entries are for what has no organization of its own: the records of persons. Those that were
-- written for organizations' own records before stay, because the trail is permanent, but no index holds them.
drop index audit_entry_time;
drop index audit_entry_actor;
drop index audit_entry_action;
drop index audit_entry_resource;
drop index audit_entry_correlation;
create index audit_entry_time on audit_entry (organization_id, occurred_at, record_id) where person_id is not null;
create index audit_entry_actor on audit_entry (organization_id, actor_id, occurred_at, record_id) where person_id is not null;
create index audit_entry_action on audit_entry (organization_id, action, occurred_at, record_id) where person_id is not null;
create index audit_entry_resource on audit_entry (organization_id, resource_id, occurred_at, record_id) where person_id is not null;
create index audit_entry_correlation on audit_entry (organization_id, correlation_id, occurred_at, record_id) where person_id is not null;

create index audit_record_time on audit_record (organization_id, occurred_at, id) where organization_id is not null;
create index audit_record_actor on audit_record (organization_id, actor_id, occurred_at, id) where organization_id is not null;
create index audit_record_action on audit_record (organization_id, action, occurred_at, id) where organization_id is not null;
create index audit_record_resource on audit_record (organization_id, resource_id, occurred_at, id) where organization_id is not null;
create index audit_record_correlation on audit_record (organization_id, correlation_id, occurred_at, id) where organization_id is not null;

-- An organization sees its own records and those it has entries for, and the bodies of what it sees. The entry is asked for as a value: a
-- condition would let the planner collect all entries of the organization first.
drop policy audit_record_entry on audit_record;
create policy audit_record_organization on audit_record for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
        or (person_id is not null and (select true from audit_entry where audit_entry.record_id = audit_record.id
            and audit_entry.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)));
drop policy audit_body_entry on audit_body;
create policy audit_body_record on audit_body for select to "{app}"
    using (exists (select from audit_record where audit_record.id = audit_body.record_id));

-- What the audit itself has written as JSON need not be read as JSON again with each row.
alter table audit_body alter column body type text;
