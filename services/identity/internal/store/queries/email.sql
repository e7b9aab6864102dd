-- name: EndEmailChange :exec
update email_change set live = false where account_id = @account_id and live;

-- name: InsertEmailChange :exec
insert into email_change (id, account_id, live, old_email, email_key, email, taken, nonce, token_hash, created_at, expires_at)
values (@id, @account_id, true, (select a.email from account a where a.id = @account_id), @email_key, @email,
        exists (select from find_credential(@email_key)), @nonce, @token_hash, @created_at, @expires_at);
