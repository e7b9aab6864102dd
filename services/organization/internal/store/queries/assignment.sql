-- name: InsertAssignment :exec
insert into assignment (organization_id, id, subject_type, subject_id, role_id, scope_type, scope_id, resource_type, owned,
    delegable, source_id, starts_at, expires_at, condition, creator_id, created_at)
values ($1, $2, $3, $4, $5, $6, sqlc.narg(scope_id), $7, $8, $9, sqlc.narg(source_id), sqlc.narg(starts_at), sqlc.narg(expires_at), $10, $11, $12);

-- name: GetAssignment :one
select * from assignment where organization_id = $1 and id = $2;

-- An assignment with those delegated from it, which go with it.
-- name: DeleteAssignment :many
delete from assignment where organization_id = $1 and (id = $2 or source_id = $2) returning *;

-- All that a subject has, and all that it has given on.
-- name: DeleteSubjectAssignments :many
delete from assignment where assignment.organization_id = sqlc.arg(organization_id) and (assignment.subject_id = sqlc.arg(subject_id)
    or assignment.source_id in (select own.id from assignment own where own.organization_id = sqlc.arg(organization_id) and own.subject_id = sqlc.arg(subject_id)))
returning *;

-- Whether there is such a subject, and how much has been given. Counting ends at the limits.
-- name: GetRoom :one
select
    (case sqlc.arg(subject_type)::text
        when 'user' then exists (select from member where member.organization_id = sqlc.arg(organization_id) and member.user_id = sqlc.arg(subject_id))
        when 'service_account' then exists (select from service_account where service_account.organization_id = sqlc.arg(organization_id) and service_account.id = sqlc.arg(subject_id) and not service_account.removed)
        when 'team' then exists (select from team where team.organization_id = sqlc.arg(organization_id) and team.id = sqlc.arg(subject_id))
        else false
    end)::boolean as known,
    (select count(*) from (select from assignment where assignment.organization_id = sqlc.arg(organization_id)
        and assignment.subject_id = sqlc.arg(subject_id) limit sqlc.arg(subject_limit)) as own) as own,
    (select count(*) from (select from assignment where assignment.organization_id = sqlc.arg(organization_id)
        limit sqlc.arg(organization_limit)) as everybodys) as everybodys;

-- What the teams have.
-- name: ListTeamAssignments :many
select * from assignment where organization_id = $1 and subject_type = 'team' and subject_id = any (sqlc.arg(team_ids)::uuid[]);
