-- name: InsertRecords :exec
-- Each array holds one column of all records. Of an organization or a person that was erased no body is kept. Whether a record is new is asked as a value and not as a condition, which
-- makes it a hash of the few new ids whatever the planner thinks of arrays: it takes them for ten rows.
with told as materialized (
    select unnest(@ids::uuid[]) as id, unnest(@event_ids::uuid[]) as event_id, unnest(@organization_ids::uuid[]) as organization_id,
        unnest(@person_ids::uuid[]) as person_id, unnest(@actions::text[]) as action, unnest(@actor_kinds::text[]) as actor_kind,
        unnest(@actor_ids::uuid[]) as actor_id, unnest(@resource_types::text[]) as resource_type,
        unnest(@resource_ids::text[]) as resource_id, unnest(@sources::text[]) as source,
        unnest(@correlation_ids::text[]) as correlation_id, unnest(@occurred_at::timestamptz[]) as occurred_at,
        unnest(@body_hashes::bytea[]) as body_hash, unnest(@body_person_ids::uuid[]) as body_person_id,
        unnest(@salts::bytea[]) as salt, unnest(@credential_ids::uuid[]) as credential_id,
        unnest(@impersonator_ids::uuid[]) as impersonator_id,
        unnest(@bodies::text[]) as body
), record as (
    insert into audit_record (id, event_id, organization_id, person_id, action, actor_kind, actor_id, resource_type, resource_id,
        source, correlation_id, occurred_at, recorded_at, body_hash, credential_id, impersonator_id)
    select id, event_id, organization_id, person_id, action, actor_kind, actor_id, resource_type, resource_id,
        source, correlation_id, occurred_at, @recorded_at, body_hash, credential_id, impersonator_id from told
    on conflict (event_id) do nothing returning audit_record.id
), body as (
    insert into audit_body (record_id, person_id, salt, body)
    select id, body_person_id, salt, body from told where (id in (select record.id from record)) is true
        and (organization_id in (select forgotten.id from forgotten_organization forgotten)) is not true
        and (body_person_id in (select forgotten.id from forgotten_organization forgotten)) is not true
)
insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id, person_id)
select standing.organization_id, told.id, told.occurred_at, told.action, told.actor_id, told.resource_type, told.resource_id,
    told.correlation_id, told.person_id
from told cross join lateral (
    select distinct on (change.organization_id) change.organization_id, change.member from membership_change change
    where change.user_id = told.person_id and change.occurred_at <= told.occurred_at
    order by change.organization_id, change.occurred_at desc
) standing
where told.person_id is not null and standing.member and (told.id in (select record.id from record)) is true;

-- name: DeleteBodies :execrows
delete from audit_body where record_id = any (array(
    select chosen.record_id from audit_body chosen where chosen.person_id = @person_id::uuid limit sqlc.arg(at_most)::int));

-- name: DeleteOrganizationBodies :one
-- It goes along the index of the organization's records: those whose bodies are gone already are passed only once.
with passed as materialized (
    select id, occurred_at from audit_record
    where organization_id = @organization_id::uuid and (occurred_at, id) > (@after_time::timestamptz, @after_id::uuid)
    order by occurred_at, id limit sqlc.arg(at_most)::int
), erased as (
    delete from audit_body where record_id = any (array(select id from passed)) returning record_id
)
select (select count(*) from erased)::bigint as erased, (select count(*) from passed)::bigint as passed,
    coalesce((select max(occurred_at) from passed), @after_time)::timestamptz as last_time,
    coalesce((select id from passed order by occurred_at desc, id desc limit 1), @after_id)::uuid as last_id;
