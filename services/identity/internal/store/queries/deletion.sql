-- name: SetLeaving :exec
update account set leaves_at = sqlc.narg(leaves_at) where id = @id;

-- name: DeleteSteps :exec
delete from deletion_step where deletion_id = @id;

-- name: ReplaceDeletion :exec
insert into deletion (id, attempt_id, state, requested_at, started_at) values (@id, @attempt_id, 'pending', @requested_at, @started_at)
on conflict (id) do update set attempt_id = excluded.attempt_id, state = excluded.state, requested_at = excluded.requested_at,
    started_at = excluded.started_at, erasing_at = null, ended_at = null, failure_reason = '';

-- name: KeepAccount :exec
select keep_account(@user_id::uuid);

-- name: EraseAddress :one
select erase_address(@user_id::uuid, @at_most::int)::bigint as erased;

-- name: DeleteAccount :exec
select delete_account(@user_id::uuid);
