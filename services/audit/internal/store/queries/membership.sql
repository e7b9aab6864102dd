-- name: LockMemberships :exec
-- One lock for all of them: several could be taken in different orders by two consumers.
select pg_advisory_xact_lock(hashtextextended('audit.membership', 0));

-- name: InsertMembershipChange :exec
insert into membership_change (organization_id, user_id, occurred_at, member) values ($1, $2, $3, $4)
on conflict do nothing;

-- name: InsertMissingEntries :exec
insert into audit_entry (organization_id, record_id, occurred_at, action, actor_id, resource_type, resource_id, correlation_id, person_id)
select @organization_id, record.id, record.occurred_at, record.action, record.actor_id, record.resource_type,
    record.resource_id, record.correlation_id, record.person_id
from audit_record record
where record.person_id = @user_id and record.occurred_at >= @since and (
    select standing.member from membership_change standing
    where standing.user_id = @user_id and standing.organization_id = @organization_id
        and standing.occurred_at <= record.occurred_at
    order by standing.occurred_at desc limit 1)
on conflict do nothing;
