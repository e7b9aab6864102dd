-- name: KeepProfile :exec
insert into profile (user_id, display_name, email, email_key, revision, title, avatar_path) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (user_id) do update
    set display_name = excluded.display_name, email = excluded.email, email_key = excluded.email_key, revision = excluded.revision,
        title = excluded.title, avatar_path = excluded.avatar_path
    where profile.revision < excluded.revision;

-- name: GetAddress :one
select email_key from profile where user_id = $1;
