-- +goose Up
-- What people wrote, for those who want to have it, and to have it gone.
create index project_owner on project (owner_id) where owner_id is not null;
create index task_reporter on task (reporter_id, id);
create index task_assignee_person on task (assignee_id, id) where assignee_id is not null;
create index comment_author on comment (author_id, id);
create policy comment_worker on comment for select to "{worker}" using (true);
grant select on comment to "{worker}";
