-- name: LockAccountFactors :exec
select id from account where id = @id for no key update;

-- name: ListFactors :many
select * from factor where account_id = @account_id order by created_at, id;

-- name: LockFactor :one
select * from factor where id = @id and account_id = @account_id for update;

-- name: InsertFactor :exec
insert into factor (id, account_id, kind, name, created_at, confirmed_at, sealed_secret, last_step,
                    credential_id, public_key, transports, flags, sign_count)
values (@id, @account_id, @kind, @name, @created_at, @confirmed_at, @sealed_secret, @last_step,
        @credential_id, @public_key, @transports, @flags, @sign_count);

-- name: DeleteUnconfirmed :exec
delete from factor where account_id = @account_id and confirmed_at is null;

-- name: ConfirmFactor :exec
update factor set confirmed_at = @confirmed_at, last_step = @last_step where id = @id and account_id = @account_id;

-- name: RenameFactor :exec
update factor set name = @name where id = @id and account_id = @account_id;

-- name: DeleteFactor :exec
delete from factor where id = @id and account_id = @account_id;

-- name: DeleteFactors :execrows
delete from factor where account_id = @account_id;

-- name: UseStep :execrows
update factor set last_step = @step, last_used_at = @used_at
where id = @id and account_id = @account_id and confirmed_at is not null and coalesce(last_step, 0) < @step::bigint;

-- name: UsePasskey :execrows
update factor set flags = @flags, sign_count = @sign_count, last_used_at = @used_at
where id = @id and account_id = @account_id and (sign_count < @sign_count or (sign_count = 0 and @sign_count = 0));

-- name: SuspectPasskey :exec
update factor set clone_warned_at = @warned_at where id = @id and account_id = @account_id;

-- name: InsertBackupCodes :exec
insert into backup_code (account_id, hash) select @account_id, unnest(@hashes::bytea[]);

-- name: DeleteBackupCodes :exec
delete from backup_code where account_id = @account_id;

-- name: UseBackupCode :execrows
delete from backup_code where account_id = @account_id and hash = @hash;

-- name: CountBackupCodes :one
select count(*) from backup_code where account_id = @account_id;

-- name: TakeTry :one
insert into proof_budget (account_id, tries, since) values (@account_id, 1, @now)
on conflict (account_id) do update set
    tries = case when proof_budget.since <= @window_start then 1 else proof_budget.tries + 1 end,
    since = case when proof_budget.since <= @window_start then @now else proof_budget.since end
returning tries, since;

-- name: ResetTries :exec
delete from proof_budget where account_id = @account_id;

-- name: HasPassword :one
select exists (select from credential where account_id = @account_id and has_password);
