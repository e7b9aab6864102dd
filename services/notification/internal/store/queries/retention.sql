-- name: DeleteReadNotifications :execrows
delete from notification where id in (
    select old.id from notification as old where old.read_at < sqlc.arg(before)::timestamptz limit sqlc.arg(row_limit)::integer);

-- name: DeleteNotifications :execrows
delete from notification where id in (
    select old.id from notification as old where old.created_at < sqlc.arg(before)::timestamptz limit sqlc.arg(row_limit)::integer);
