-- name: InsertOrganizationRecord :exec
with record as (
    insert into audit_record (id, event_id, organization_id, action, actor_kind, actor_id, resource_type, resource_id,
        source, correlation_id, occurred_at, recorded_at, body_hash)
    values (@id, @event_id, @organization_id::uuid, @action, @actor_kind, @actor_id, @resource_type, @resource_id,
        @source, @correlation_id, @occurred_at, @recorded_at, @body_hash)
    on conflict (event_id) do nothing returning id
), body as (
    insert into audit_body (record_id, person_id, salt, body) select id, @body_person_id, @salt, @body from record
)
insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id)
select @organization_id::uuid, id, @occurred_at, @action, @actor_id, @resource_type, @resource_id, @correlation_id from record;

-- name: InsertRecordOutside :exec
with record as (
    insert into audit_record (id, event_id, person_id, action, actor_kind, actor_id, resource_type, resource_id,
        source, correlation_id, occurred_at, recorded_at, body_hash)
    values (@id, @event_id, @person_id, @action, @actor_kind, @actor_id, @resource_type, @resource_id,
        @source, @correlation_id, @occurred_at, @recorded_at, @body_hash)
    on conflict (event_id) do nothing returning *
), body as (
    insert into audit_body (record_id, person_id, salt, body) select id, @body_person_id, @salt, @body from record
), standing as (
    select distinct on (organization_id) organization_id, member from membership_change
    where user_id = @person_id and membership_change.occurred_at <= @occurred_at
    order by organization_id, membership_change.occurred_at desc
)
insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id, person_id)
select standing.organization_id, record.id, record.occurred_at, record.action, record.actor_id, record.resource_type,
    record.resource_id, record.correlation_id, record.person_id
from record cross join standing where standing.member;

-- name: DeleteBodies :execrows
delete from audit_body where record_id = any (array(
    select chosen.record_id from audit_body chosen where chosen.person_id = @person_id::uuid limit sqlc.arg(at_most)::int));
