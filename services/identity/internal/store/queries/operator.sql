-- name: InsertOperator :exec
insert into operator (account_id, role, creator_id, created_at, updated_at, revision)
values (@account_id, @role, @creator_id, @created_at, @updated_at, @revision);

-- name: LockOperators :many
select * from operator where account_id = @account_id or role = 'admin' order by account_id for update;

-- name: UpdateOperator :exec
update operator set role = @role, updated_at = @updated_at, revision = @revision where account_id = @account_id;

-- name: DeleteOperator :exec
delete from operator where account_id = @account_id;
