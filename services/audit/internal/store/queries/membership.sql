-- name: LockMemberships :exec
-- One lock for all of them: several could be taken in different orders by two consumers.
select pg_advisory_xact_lock(hashtextextended('audit.membership', 0));

-- name: InsertMembershipChanges :exec
insert into membership_change (organization_id, user_id, occurred_at, member)
select told.organization_id, told.user_id, told.occurred_at, told.member from (
    select unnest(@organization_ids::uuid[]) as organization_id, unnest(@user_ids::uuid[]) as user_id,
        unnest(@occurred_at::timestamptz[]) as occurred_at, unnest(@members::boolean[]) as member
) as told
where told.organization_id not in (select forgotten.id from forgotten_organization forgotten)
    and told.user_id not in (select forgotten.id from forgotten_organization forgotten)
on conflict do nothing;

-- name: InsertMissingEntries :exec
with joined as (
    select unnest(@organization_ids::uuid[]) as organization_id, unnest(@user_ids::uuid[]) as user_id, unnest(@since::timestamptz[]) as since
)
insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id, person_id)
select joined.organization_id, record.id, record.occurred_at, record.action, record.actor_id, record.resource_type,
    record.resource_id, record.correlation_id, record.person_id
from joined join audit_record record on record.person_id = joined.user_id and record.occurred_at >= joined.since
where (
    select standing.member from membership_change standing
    where standing.user_id = joined.user_id and standing.organization_id = joined.organization_id
        and standing.occurred_at <= record.occurred_at
    order by standing.occurred_at desc limit 1)
on conflict do nothing;
