-- name: InsertDevice :exec
insert into device (hash, account_id, created_at, expires_at) values (@hash, @account_id, @created_at, @expires_at);

-- name: TrimDevices :exec
delete from device d where d.account_id = @account_id and d.hash in
    (select o.hash from device o where o.account_id = @account_id order by o.created_at desc, o.hash offset @kept);

-- name: DeleteDevices :exec
delete from device where account_id = @account_id;
