-- name: ListPreferences :many
select kind, channel, enabled from preference where user_id = sqlc.arg(user_id);

-- name: MergePreferences :exec
insert into preference (user_id, kind, channel, enabled, updated_at)
select sqlc.arg(user_id), given.kind, given.channel, given.enabled, sqlc.arg(updated_at)
from (select unnest(sqlc.arg(kinds)::text[]) as kind, unnest(sqlc.arg(channels)::text[]) as channel,
    unnest(sqlc.arg(enabled)::boolean[]) as enabled) as given
on conflict (user_id, kind, channel) do update set enabled = excluded.enabled, updated_at = excluded.updated_at;
