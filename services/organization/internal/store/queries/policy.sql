-- name: GetPolicy :one
select * from policy where organization_id = $1;

-- name: SavePolicy :exec
insert into policy (organization_id, second_factor, second_factor_grace_days, second_factor_since, session_max_age,
    allowed_networks, invitation_domains, api_keys, updated_at, revision, session_max_pause)
values ($1, $2, $3, sqlc.narg(second_factor_since), $4, $5, $6, $7, $8, $9, $10)
on conflict (organization_id) do update set second_factor = excluded.second_factor,
    second_factor_grace_days = excluded.second_factor_grace_days, second_factor_since = excluded.second_factor_since,
    session_max_age = excluded.session_max_age, allowed_networks = excluded.allowed_networks,
    invitation_domains = excluded.invitation_domains, api_keys = excluded.api_keys, updated_at = excluded.updated_at,
    revision = excluded.revision, session_max_pause = excluded.session_max_pause;
