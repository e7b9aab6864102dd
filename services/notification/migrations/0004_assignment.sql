-- +goose Up
-- Who has the task now and who had it before, both null for nobody: what a mail about an assignment says depends on who
-- reads it.
alter table delivery add column assignee_id uuid, add column previous_assignee_id uuid;
-- Until now only the new assignee was told.
update delivery set assignee_id = user_id where kind = 'task_assigned' and state = 'pending';
