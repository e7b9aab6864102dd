-- name: LockOrganizationsOf :exec
-- In the order of their ids, so that no two wait for each other in a circle.
select id from organization where id in (select list_memberships(@user_id::uuid)) order by id for no key update;

-- name: ListSoleOwnerships :many
select list_sole_ownerships(@user_id::uuid, @states::text[])::uuid as organization_id;

-- name: NextMembership :one
select membership::uuid as organization_id from list_memberships(@user_id::uuid) as membership limit 1;

-- name: EraseMember :exec
select erase_member(@organization_id::uuid, @user_id::uuid);

-- name: EraseInvitations :one
select erase_invitations(@user_id::uuid, @at_most::int)::bigint as erased;
