-- name: DeleteEmailChange :exec
delete from email_change where account_id = @account_id;

-- name: InsertEmailChange :exec
insert into email_change (account_id, id, email_key, email, taken, nonce, token_hash, created_at, expires_at)
values (@account_id, @id, @email_key, @email, exists (select from find_credential(@email_key)), @nonce, @token_hash, @created_at, @expires_at);
