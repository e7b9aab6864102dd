-- name: KeepProfile :exec
insert into profile (user_id, display_name, email, email_key, revision) values ($1, $2, $3, $4, $5)
on conflict (user_id) do update
    set display_name = excluded.display_name, email = excluded.email, email_key = excluded.email_key, revision = excluded.revision
    where profile.revision < excluded.revision;
