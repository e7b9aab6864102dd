-- name: InsertAccount :exec
insert into account (id, email, display_name, revision, created_at, updated_at)
values (@id, @email, @display_name, @revision, @created_at, @updated_at);

-- name: InsertCredential :exec
insert into credential (email_key, account_id, password_hash, updated_at)
values (@email_key, @account_id, @password_hash, @updated_at);

-- name: UpdatePasswordHash :exec
update credential set password_hash = @password_hash, updated_at = @updated_at where account_id = @account_id;

-- name: GetAccount :one
select sqlc.embed(account) from account where id = @id;

-- name: LockAccount :one
select sqlc.embed(account) from account where id = @id for update;

-- name: UpdateAccount :exec
update account set display_name = @display_name, title = @title, locale = @locale, time_zone = @time_zone, avatar_id = @avatar_id,
    revision = @revision, updated_at = @updated_at where id = @id;

-- name: ChangePassword :exec
update credential set password_hash = @password_hash, revision = revision + 1, updated_at = @updated_at where account_id = @account_id;
