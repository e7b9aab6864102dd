-- name: InsertChallenge :exec
insert into challenge (hash, kind, account_id, user_agent, client_address, ceremony, expires_at, password_revision, device_known, methods,
    sso_connection_id, sso_bypassed)
values (@hash, @kind, @account_id, @user_agent, @client_address, @ceremony, @expires_at, @password_revision, @device_known, @methods,
    @sso_connection_id, @sso_bypassed);

-- name: LockChallenge :one
select kind, account_id, user_agent, client_address, tries, ceremony, expires_at, password_revision, device_known, methods,
    sso_connection_id, sso_bypassed, mail_id, mail_nonce
from challenge where hash = @hash for update;

-- name: MailChallenge :exec
update challenge set mail_id = @mail_id, mail_nonce = @mail_nonce, expires_at = @expires_at where hash = @hash;

-- name: CountChallengeTry :exec
update challenge set tries = tries + 1 where hash = @hash;

-- name: DeleteChallenge :exec
delete from challenge where hash = @hash;

-- name: PurgeChallenges :execrows
delete from challenge where hash in
    (select c.hash from challenge c where c.expires_at <= @now order by c.expires_at limit @most);

-- name: PurgeUnconfirmed :execrows
delete from factor where id in
    (select f.id from factor f where f.confirmed_at is null and f.created_at <= @created_before order by f.created_at limit @most);
