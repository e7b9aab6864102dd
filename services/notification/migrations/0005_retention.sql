-- +goose Up
-- Notifications are removed some time after they were read, and in the end in any case. Rows arrive in the order of
-- their time, so that a few pages say where the old ones are, and an insert pays next to nothing for it.
create index notification_created on notification using brin (created_at) with (pages_per_range = 32);
create index notification_read on notification (read_at) where read_at is not null;

grant delete on notification to "{worker}";
