-- name: InsertSession :exec
insert into session (id, account_id, user_agent, client_address, created_at, last_used_at, expires_at, ends_at, device, client, authenticated_at, methods,
    sso_connection_id, sso_bypassed)
values (@id, @account_id, @user_agent, @client_address, @created_at, @last_used_at, @expires_at, @ends_at, @device, @client, @authenticated_at, @methods,
    @sso_connection_id, @sso_bypassed);

-- name: LockSession :one
select authenticated_at, methods, sso_connection_id, sso_bypassed, coalesce(find_operator(account_id), '')::text as operator
from session where id = @id and account_id = @account_id and expires_at > @now for update;

-- name: RaiseSession :exec
update session set authenticated_at = @authenticated_at, methods = @methods, longest_pause = 0 where id = @id and account_id = @account_id;

-- name: ExtendSession :exec
update session set last_used_at = @last_used_at, expires_at = least(@expires_at, ends_at), longest_pause = @longest_pause
where id = @id and account_id = @account_id;

-- name: DeleteSession :execrows
delete from session where id = @id and account_id = @account_id and expires_at > @now;

-- name: InsertRefreshToken :exec
insert into refresh_token (hash, session_id, account_id, created_at, expires_at)
values (@hash, @session_id, @account_id, @created_at, @expires_at);

-- name: WipeAnswers :exec
update refresh_token set sealed_answer = null
where session_id = @session_id and account_id = @account_id and sealed_answer is not null;

-- name: UseRefreshToken :exec
update refresh_token set used_at = @used_at, sealed_answer = @sealed_answer where hash = @hash;

-- name: LockAccountForSession :one
select sqlc.embed(account), coalesce(hold_operator(id), '')::text as operator from account where id = @id for no key update;

-- name: DeleteSessions :many
delete from session where account_id = @account_id and expires_at > @now and id is distinct from @kept::uuid returning id;

-- name: DeleteLeastUsedSessions :many
delete from session where id in
    (select s.id from session s where s.account_id = @account_id and s.expires_at > @now
     order by s.last_used_at desc, s.id desc offset @kept)
returning id;

-- name: ForgetSecondFactor :exec
update session set methods = array_remove(methods, 'mfa') where account_id = @account_id and 'mfa' = any (methods);
