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

-- name: GetDeletion :one
select * from deletion where id = $1;

-- name: GetDeletionForUpdate :one
select * from deletion where id = $1 for update;

-- name: ListSteps :many
select * from deletion_step where deletion_id = $1 order by service;

-- name: NextDeletion :one
-- Those that others are at are passed over. One that waits for answers is looked at when one comes, or when it is time to
-- ask again.
select * from deletion
where state in ('pending', 'preparing', 'erasing') and started_at <= @now and not (id = any (@seen::uuid[]))
order by started_at limit 1 for update skip locked;

-- name: SetDeletionState :exec
update deletion set state = $2, erasing_at = $3, ended_at = $4, failure_reason = $5 where id = $1;

-- name: AskStep :exec
insert into deletion_step (deletion_id, service, state, attempts, asked_at) values (@deletion_id, @service, @state, 1, @asked_at)
on conflict (deletion_id, service) do update set state = excluded.state, asked_at = excluded.asked_at, answered_at = null,
    attempts = case when deletion_step.state = excluded.state then deletion_step.attempts + 1 else 1 end;

-- name: AnswerStep :exec
update deletion_step set state = @state, answered_at = @answered_at, last_error = @last_error, erased_rows = @erased_rows
where deletion_id = @deletion_id and service = @service;

-- name: DelayStep :exec
update deletion_step set failures = greatest(failures, @failures), last_error = @last_error
where deletion_id = @deletion_id and service = @service and state = 'erasing';

-- name: DeleteOrganization :exec
delete from organization where id = $1;

-- name: LongestWaits :many
-- By service, how long the oldest question is unanswered.
select service, min(asked_at)::timestamptz as asked_at from deletion_step join deletion on deletion.id = deletion_step.deletion_id
where answered_at is null and deletion.state in ('preparing', 'erasing') group by service;
