-- name: InsertRegistration :exec
insert into registration (id, email_key, email, display_name, password_hash, nonce, code_hash, token_hash, client_key, account_exists, created_at, expires_at)
values (@id, @email_key, @email, @display_name, @password_hash, @nonce, @code_hash, @token_hash, @client_key,
        exists (select from find_credential(@email_key)), @created_at, @expires_at);

-- name: RepeatRegistration :exec
insert into registration (id, email_key, email, display_name, password_hash, nonce, code_hash, token_hash, client_key, account_exists, hollow, created_at, expires_at)
select @id::uuid as id, @email_key::text as email_key, coalesce(r.email, @email) as email, coalesce(r.display_name, '') as display_name,
       coalesce(r.password_hash, '') as password_hash, @nonce::bytea as nonce, @code_hash::bytea as code_hash,
       @token_hash::bytea as token_hash, @client_key::bytea as client_key,
       exists (select from find_credential(@email_key)) as account_exists, r.id is null as hollow,
       @created_at::timestamptz as created_at, @expires_at::timestamptz as expires_at
from (select 1 as present) as one left join lateral
    (select o.id, o.email, o.display_name, o.password_hash from registration o
     where o.email_key = @email_key and o.client_key = @client_key and o.expires_at > @created_at and not o.hollow
     order by o.created_at desc, o.id desc limit 1) as r on true;

-- name: TrimRegistrations :exec
delete from registration r where r.email_key = @email_key and r.id in
    (select o.id from registration o where o.email_key = @email_key order by o.created_at desc, o.id desc offset @kept);

-- name: LockRegistrations :many
select id, email, display_name, password_hash, code_hash, client_key, account_exists from registration
where email_key = @email_key and expires_at > @now and not hollow
order by created_at desc, id desc limit @kept
for update;

-- name: DeleteRegistrations :exec
delete from registration where email_key = @email_key;
