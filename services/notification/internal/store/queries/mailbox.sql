-- name: InsertMailboxMessage :exec
insert into mailbox_message (id, received_at, content) values (sqlc.arg(id), sqlc.arg(received_at), sqlc.arg(content));

-- name: TrimMailbox :exec
delete from mailbox_message where id in (
    select old.id from mailbox_message as old order by old.received_at desc, old.id desc offset sqlc.arg(kept)::integer);

-- name: ListMailboxMessages :many
select id, received_at, content from mailbox_message order by received_at desc, id desc limit sqlc.arg(row_limit)::integer;

-- name: GetMailboxMessage :one
select id, received_at, content from mailbox_message where id = sqlc.arg(id);
