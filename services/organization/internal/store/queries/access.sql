-- name: SaveRevisions :exec
update organization set access_revision = $2, roles_revision = $3 where id = $1;

-- name: RaiseAccess :one
update organization set access_revision = access_revision + 1 where id = $1 returning access_revision;

-- One statement, and so one snapshot, for any number of subjects: what each has, and in the first row the organization's
-- own roles and permissions, unless the asker knows this revision of them, and its policy. Whoever has expired assignments only, has none.
-- name: ReadHoldings :many
select
    subject.id::uuid as subject_id, organization.state, organization.access_revision, organization.roles_revision,
    member.role_ids, (member.suspended_at is not null)::boolean as suspended, (service_account.id is not null)::boolean as service_account,
    (case when subject.number = 1 and organization.roles_revision <> sqlc.arg(known_roles_revision)::bigint then coalesce((
        select jsonb_agg(jsonb_build_object('id', role.id, 'allowed', role.allowed, 'denied', role.denied, 'parents', role.parents))
        from role where role.organization_id = organization.id), '[]') end)::jsonb as roles,
    (case when subject.number = 1 and organization.roles_revision <> sqlc.arg(known_roles_revision)::bigint then coalesce((
        select array_agg(permission.name order by permission.name)
        from permission where permission.organization_id = organization.id), '{}') end)::text[] as permissions,
    (select jsonb_agg(jsonb_build_object('assignment', to_jsonb(assignment), 'team_id', nullif(assignment.subject_id, subject.id), 'source', to_jsonb(source)))
        from assignment left join assignment source on source.organization_id = assignment.organization_id and source.id = assignment.source_id
        where assignment.organization_id = organization.id
            and assignment.subject_id = any (array(select reached_team.team_id from reached_team
                where reached_team.organization_id = organization.id and reached_team.user_id = subject.id) || subject.id::uuid)
            and (assignment.expires_at is null or assignment.expires_at > sqlc.arg(now)::timestamptz)
            and (source.expires_at is null or source.expires_at > sqlc.arg(now)::timestamptz)) as assignments,
    member.joined_at,
    (select sso_requirement.sso_connection_id from sso_requirement
        join profile on profile.user_id = member.user_id
        join mail_domain on mail_domain.organization_id = sso_requirement.organization_id and mail_domain.state = 'verified'
            and mail_domain.capture and mail_domain.name = split_part(profile.email_key, '@', 2)
        where sso_requirement.organization_id = organization.id) as sso_connection_id,
    (case when subject.number = 1 then (select to_jsonb(policy) from policy where policy.organization_id = organization.id) end)::jsonb as policy
from organization
cross join unnest(sqlc.arg(subject_ids)::uuid[]) with ordinality as subject (id, number)
left join member on member.organization_id = organization.id and member.user_id = subject.id
left join service_account on service_account.organization_id = organization.id and service_account.id = subject.id
where organization.id = sqlc.arg(organization_id)
order by subject.number;

-- Those who may hold a permission, because they have one of the roles that allow it, by id.
-- name: ListCandidates :many
select candidate.id::uuid as id, candidate.subject_type::text as subject_type from (
    select member.user_id as id, 'user' as subject_type from member
    where member.organization_id = sqlc.arg(organization_id) and (sqlc.arg(after)::uuid is null or member.user_id > sqlc.arg(after)::uuid)
        and (member.role_ids && sqlc.arg(role_ids)::text[] or exists (select from assignment
            where assignment.organization_id = member.organization_id and assignment.subject_id = member.user_id
                and assignment.role_id = any (sqlc.arg(role_ids)::text[]))
            or exists (select from reached_team
                join assignment on assignment.organization_id = reached_team.organization_id and assignment.subject_id = reached_team.team_id
                where reached_team.organization_id = member.organization_id and reached_team.user_id = member.user_id
                    and assignment.role_id = any (sqlc.arg(role_ids)::text[])))
    union all
    select service_account.id, 'service_account' from service_account
    where service_account.organization_id = sqlc.arg(organization_id) and (sqlc.arg(after)::uuid is null or service_account.id > sqlc.arg(after)::uuid)
        and exists (select from assignment
            where assignment.organization_id = service_account.organization_id and assignment.subject_id = service_account.id
                and assignment.role_id = any (sqlc.arg(role_ids)::text[]))
) as candidate
order by candidate.id limit sqlc.arg(at_most);

-- The roles in the whole organization of all whom something reaches: because it is given to them or to a team that they are
-- in, or because they have one of the roles in whatever way.
-- name: ListReachedRoles :many
with reached as (
    select unnest(sqlc.arg(subject_ids)::uuid[]) as id
    union select reached_team.user_id from reached_team
        where reached_team.organization_id = sqlc.arg(organization_id) and reached_team.team_id = any (sqlc.arg(subject_ids)::uuid[])
    union select member.user_id from member
        where member.organization_id = sqlc.arg(organization_id) and member.role_ids && sqlc.arg(role_ids)::text[]
    union select assignment.subject_id from assignment
        where assignment.organization_id = sqlc.arg(organization_id) and assignment.role_id = any (sqlc.arg(role_ids)::text[])
    union select reached_team.user_id from assignment
        join reached_team on reached_team.organization_id = assignment.organization_id and reached_team.team_id = assignment.subject_id
        where assignment.organization_id = sqlc.arg(organization_id) and assignment.role_id = any (sqlc.arg(role_ids)::text[])
)
select distinct had.role_id::text as role_id, (had.id = sqlc.arg(own_id)::uuid)::boolean as own from (
    select reached.id, unnest(member.role_ids) as role_id from reached
    join member on member.organization_id = sqlc.arg(organization_id) and member.user_id = reached.id
    union all
    select reached.id, assignment.role_id from reached
    join assignment on assignment.organization_id = sqlc.arg(organization_id) and assignment.subject_id = reached.id
    where assignment.scope_type = 'organization' and (assignment.expires_at is null or assignment.expires_at > sqlc.arg(now)::timestamptz)
    union all
    select reached.id, assignment.role_id from reached
    join reached_team on reached_team.organization_id = sqlc.arg(organization_id) and reached_team.user_id = reached.id
    join assignment on assignment.organization_id = sqlc.arg(organization_id) and assignment.subject_id = reached_team.team_id
    where assignment.scope_type = 'organization' and (assignment.expires_at is null or assignment.expires_at > sqlc.arg(now)::timestamptz)
) as had;

-- name: KeepServiceAccount :exec
insert into service_account (organization_id, id, display_name) values ($1, $2, $3)
on conflict (organization_id, id) do update set display_name = excluded.display_name;

-- name: DeleteServiceAccount :exec
delete from service_account where organization_id = $1 and id = $2;
