-- name: ShareMembership :exec
-- ShareMembership keeps a removal of the user from being heard until the transaction ends.
select pg_advisory_xact_lock_shared(@key);

-- name: LockMembership :exec
-- LockMembership waits for all who share the user's membership.
select pg_advisory_xact_lock(@key);

-- name: SaveMembership :execrows
-- SaveMembership changes nothing when something later is known. Of two at the same moment the removal counts. Of a person
-- who was erased nothing is kept.
insert into membership as known (organization_id, user_id, removed, changed_at)
select @organization_id, @user_id::uuid, @removed, @changed_at
where @user_id::uuid not in (select forgotten.id from forgotten_organization forgotten)
on conflict (organization_id, user_id) do update set removed = excluded.removed, changed_at = excluded.changed_at
where known.changed_at < excluded.changed_at or known.changed_at = excluded.changed_at and excluded.removed;

-- name: IsRemoved :one
select exists (
    select from membership where organization_id = @organization_id and user_id = @user_id and removed
);
