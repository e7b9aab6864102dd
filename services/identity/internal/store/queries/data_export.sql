-- name: InsertDataExport :exec
insert into data_export (id, account_id, state, created_at, expires_at, nonce, token_hash)
values (@id, @account_id, 'running', @created_at, @expires_at, @nonce, @token_hash);

-- name: CountDataExports :one
select count(*) filter (where state = 'running') as running, count(*) filter (where state <> 'failed') as counted,
    coalesce(min(created_at) filter (where state <> 'failed'), @since)::timestamptz as oldest
from data_export where account_id = @account_id and created_at > @since;

-- name: DeleteDataExport :execrows
update data_export set state = 'deleted', finished_at = coalesce(finished_at, @now), expires_at = greatest(@expires_at, created_at + interval '1 day')
where id = @id and account_id = @account_id and state <> 'deleted';

-- name: ClaimDataExport :one
update data_export set claimed_until = @until
where id = @id and state = 'ready' and expires_at > @now and (claimed_until is null or claimed_until <= @now)
returning build_id, size_bytes;

-- name: KeepDataExport :execrows
update data_export set claimed_until = @until where id = @id and state = 'ready' and expires_at > @now;

-- name: ReleaseDataExport :exec
update data_export set claimed_until = null where id = @id and state = 'ready';

-- name: UseDataExport :execrows
update data_export set state = 'downloaded', claimed_until = null where id = @id and state = 'ready';

-- name: GetDataExportChunk :one
select sealed from data_export_chunk where export_id = @export_id and build_id = @build_id and number = @number;

-- name: BeginDataExport :one
update data_export set build_id = @build_id where id = @id and state = 'running' returning account_id, created_at;

-- name: DeleteOtherDataExportChunks :exec
delete from data_export_chunk where export_id = @export_id and build_id <> @build_id;

-- name: InsertDataExportChunk :exec
insert into data_export_chunk (export_id, build_id, number, account_id, sealed) values (@export_id, @build_id, @number, @account_id, @sealed);

-- name: FinishDataExport :execrows
update data_export set state = 'ready', finished_at = @finished_at, expires_at = @expires_at, size_bytes = @size_bytes
where id = @id and state = 'running' and build_id = @build_id;

-- name: FailDataExport :one
update data_export set state = 'failed', finished_at = @finished_at, expires_at = @expires_at, failure_reason = @failure_reason
where id = @id and state = 'running' returning account_id;

-- name: FindOverdueDataExports :many
select id from data_export where state = 'running' and expires_at < @now limit @most;

-- name: PurgeDataExportChunks :execrows
delete from data_export_chunk where (export_id, build_id, number) in
    (select c.export_id, c.build_id, c.number from data_export e join data_export_chunk c on c.export_id = e.id
     where e.state in ('downloaded', 'failed', 'deleted') or (e.state = 'ready' and (e.expires_at < @now or c.build_id <> e.build_id))
     limit @most);

-- name: PurgeDataExports :execrows
delete from data_export where id in
    (select e.id from data_export e where e.state <> 'running' and e.expires_at < @now
     and not exists (select from data_export_chunk c where c.export_id = e.id) limit @most);
