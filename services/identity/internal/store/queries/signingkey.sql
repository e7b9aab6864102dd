-- name: LockSigningKeys :exec
select pg_advisory_xact_lock(@key::bigint);

-- name: ListSigningKeys :many
select id, public_key, sealed_private, created_at, signs_from, verifies_until from signing_key order by signs_from desc, id;

-- name: ListPublicKeys :many
select id, public_key from signing_key where verifies_until is null or verifies_until > @now order by signs_from desc, id;

-- name: InsertSigningKey :exec
insert into signing_key (id, public_key, sealed_private, created_at, signs_from)
values (@id, @public_key, @sealed_private, @created_at, @signs_from);

-- name: RetireSigningKeys :exec
update signing_key set verifies_until = @verifies_until where id <> @successor and verifies_until is null;

-- name: DropSigningKeys :many
delete from signing_key where id <> @successor returning id;

-- name: PurgeSigningKeys :execrows
delete from signing_key where verifies_until <= @now;
