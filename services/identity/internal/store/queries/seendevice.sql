-- name: SeeDevice :one
insert into seen_device (id, account_id, fingerprint, name, first_address, first_seen_at, last_seen_at)
values (@id, @account_id, @fingerprint, @name, @first_address, @now, @now)
on conflict (account_id, fingerprint) do update set last_seen_at = excluded.last_seen_at
returning id, exists (select from seen_device other where other.account_id = @account_id) as others;

-- name: TrimSeenDevices :exec
delete from seen_device d where d.account_id = @account_id and d.id in
    (select o.id from seen_device o where o.account_id = @account_id order by o.last_seen_at desc, o.id desc offset @kept);

-- name: GetSeenDevice :one
select id, name, first_address, first_seen_at from seen_device where account_id = @account_id and id = @id;
