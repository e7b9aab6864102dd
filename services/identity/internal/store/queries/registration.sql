-- name: InsertRegistration :exec
insert into registration (id, email_key, email, display_name, password_hash, nonce, code_hash, tries, account_exists, created_at, expires_at)
values (@id, @email_key, @email, @display_name, @password_hash, @nonce, @code_hash, 0,
        exists (select from find_credential(@email_key)), @created_at, @expires_at);

-- name: TrimRegistrations :exec
delete from registration r where r.email_key = @email_key and r.id in
    (select o.id from registration o where o.email_key = @email_key order by o.created_at desc, o.id desc offset @kept);

-- name: LockRegistrations :many
select id, email, display_name, password_hash, code_hash, account_exists from registration
where email_key = @email_key and expires_at > @now and tries < @max_tries
order by created_at desc, id desc limit @kept
for update;

-- name: CountTry :exec
update registration set tries = tries + 1 where email_key = @email_key and id = any(@ids::uuid[]);

-- name: DeleteRegistrations :exec
delete from registration where email_key = @email_key;
