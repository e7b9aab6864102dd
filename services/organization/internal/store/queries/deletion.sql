-- name: SetOrganizationState :exec
update organization set state = $2, updated_at = $3, revision = revision + 1 where id = $1;

-- name: SetSuspension :exec
update organization set state = $2, suspension_reason = $3, updated_at = $4, revision = revision + 1 where id = $1;

-- name: ShareOrganizationState :one
select state from organization where id = $1 for share;

-- name: GetOrganizationState :one
select state from organization where id = $1;

-- name: ListOwners :many
select user_id from member where organization_id = $1 and 'owner' = any (role_ids) order by user_id;

-- name: ReplaceDeletion :exec
insert into deletion (id, attempt_id, state, requester_id, reader_ids, previous_state, requested_at, started_at)
values (@id, @attempt_id, 'pending', @requester_id, @reader_ids, @previous_state, @requested_at, @started_at)
on conflict (id) do update set attempt_id = excluded.attempt_id, state = excluded.state, requester_id = excluded.requester_id,
    reader_ids = excluded.reader_ids, previous_state = excluded.previous_state, requested_at = excluded.requested_at,
    started_at = excluded.started_at, erasing_at = null, ended_at = null, failure_reason = '';

-- name: DeleteSteps :exec
delete from deletion_step where deletion_id = $1;

-- name: GetOwnDeletion :one
select requester_id, previous_state from deletion where id = $1;

-- name: DeleteOrganization :exec
delete from organization where id = $1;
