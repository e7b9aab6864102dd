-- name: InsertTeam :exec
insert into team (organization_id, id, display_name, description, parent_id, created_at, updated_at, revision)
values ($1, $2, $3, $4, sqlc.narg(parent_id), $5, $5, 1);

-- name: CountTeams :one
select count(*) from team where organization_id = $1;

-- name: GetTeam :one
select * from team where organization_id = $1 and id = $2;

-- name: LockTeam :one
select * from team where organization_id = $1 and id = $2 for no key update;

-- name: UpdateTeam :exec
update team set display_name = $3, description = $4, parent_id = sqlc.narg(parent_id), updated_at = $5, revision = $6
where organization_id = $1 and id = $2;

-- name: DeleteTeam :exec
delete from team where organization_id = $1 and id = $2;

-- name: HasTeamsBelow :one
select exists (select from team where organization_id = $1 and parent_id = $2);

-- The bound on levels ends even a circle that should not be there.
-- name: GetTeamAndAbove :many
with recursive line as (
    select team.id, team.parent_id, 1 as level from team where team.organization_id = $1 and team.id = $2
    union all
    select above.id, above.parent_id, line.level + 1
    from line join team above on above.organization_id = $1 and above.id = line.parent_id where line.level < 8
)
select id from line order by level;

-- name: GetTeamHeight :one
with recursive below as (
    select team.id, 1 as level from team where team.organization_id = $1 and team.id = $2
    union all
    select team.id, below.level + 1
    from below join team on team.organization_id = $1 and team.parent_id = below.id where below.level < 8
)
select coalesce(max(level), 0)::int from below;

-- name: GetTeamsOf :many
select team_id from reached_team where organization_id = $1 and user_id = $2;

-- name: CountTeamMembers :one
select count(*) from team_member where organization_id = $1 and team_id = $2;

-- name: InsertTeamMember :one
insert into team_member (organization_id, team_id, user_id, role, joined_at) values ($1, $2, $3, $4, $5)
on conflict do nothing
returning true;

-- name: GetTeamMember :one
select team_member.role, team_member.joined_at, profile.display_name
from team_member join profile on profile.user_id = team_member.user_id
where team_member.organization_id = $1 and team_member.team_id = $2 and team_member.user_id = $3;

-- name: ShareTeamMember :one
select role from team_member where organization_id = $1 and team_id = $2 and user_id = $3 for share;

-- name: UpdateTeamMember :exec
update team_member set role = $4 where organization_id = $1 and team_id = $2 and user_id = $3;

-- name: DeleteTeamMember :exec
delete from team_member where organization_id = $1 and team_id = $2 and user_id = $3;
