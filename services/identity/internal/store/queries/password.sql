-- name: InsertPasswordReset :exec
insert into password_reset (id, email_key, email, account_id, nonce, token_hash, created_at, expires_at)
values (@id, @email_key, @email, (select c.account_id from find_credential(@email_key) as c), @nonce, @token_hash, @created_at, @expires_at);

-- name: DeletePasswordReset :execrows
delete from password_reset where token_hash = @token_hash and account_id = @account_id;

-- name: DeletePasswordResets :exec
delete from password_reset where account_id = @account_id;
