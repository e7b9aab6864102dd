-- +goose Up
-- A project is the lock and the clock of everything in it: each change of it, its tasks or their comments takes its next
-- revision while its row is locked, so revisions are committed in their order and without gaps. The row is rewritten
-- with every change: room for that is kept in its page, and long texts are kept out of it.
create table project (
    organization_id uuid        not null,
    id              uuid        not null,
    key             text        not null,
    display_name    text        not null,
    description     text        not null,
    archived        boolean     not null default false,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    -- The number of the next task.
    next_number     integer     not null default 1,
    -- The revision of the latest change, and of the latest one of the project's own fields.
    revision        bigint      not null default 0,
    own_revision    bigint      not null default 0,
    primary key (organization_id, id),
    constraint project_key_unique unique (organization_id, key)
) with (fillfactor = 50, toast_tuple_target = 256);

create table task (
    organization_id uuid        not null,
    id              uuid        not null,
    project_id      uuid        not null,
    number          integer     not null check (number > 0),
    -- The project's key, which never changes: a task is read without its project.
    project_key     text        not null,
    title           text        not null,
    description     text        not null,
    status          text        not null check (status in ('todo', 'in_progress', 'in_review', 'done', 'cancelled')),
    priority        smallint    not null check (priority between 1 and 4),
    assignee_id     uuid,
    reporter_id     uuid        not null,
    due_at          timestamptz,
    labels          text[]      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    -- The project's revision at which it last changed.
    revision        bigint      not null,
    -- Everybody who ever commented, each once. Kept here because a locked row is read as it is, while a subquery on the
    -- comments would miss those that were committed while the statement waited for the lock.
    commenter_ids   uuid[]      not null default '{}',
    primary key (organization_id, id),
    foreign key (organization_id, project_id) references project (organization_id, id)
) with (fillfactor = 90);
-- The default order of a project's tasks, and the guarantee behind their numbers.
create unique index task_number on task (organization_id, project_id, number);
create index task_status on task (organization_id, project_id, status, number);
create index task_assignee on task (organization_id, assignee_id, project_id, number) where assignee_id is not null;

create table comment (
    organization_id uuid        not null,
    id              uuid        not null,
    task_id         uuid        not null,
    author_id       uuid        not null,
    body            text        not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    -- The project's revision at which it last changed.
    revision        bigint      not null,
    primary key (organization_id, id),
    foreign key (organization_id, task_id) references task (organization_id, id)
);
create index comment_task on comment (organization_id, task_id, created_at, id);

-- What happened in a project, one row for each revision, for those who watch it; kept for a day.
create table project_change (
    organization_id uuid        not null,
    project_id      uuid        not null,
    revision        bigint      not null,
    -- A braid.workflow.v1.ProjectChange.
    payload         bytea       not null,
    created_at      timestamptz not null,
    primary key (organization_id, project_id, revision),
    foreign key (organization_id, project_id) references project (organization_id, id)
);
-- Rows come and go in the order of time.
create index project_change_created_at on project_change using brin (created_at);

alter table project enable row level security;
alter table project force row level security;
alter table task enable row level security;
alter table task force row level security;
alter table comment enable row level security;
alter table comment force row level security;
alter table project_change enable row level security;
alter table project_change force row level security;

create policy project_app on project for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy project_worker on project for all to "{worker}" using (true) with check (true);
create policy project_owner on project for all to "{owner}" using (true) with check (true);

create policy task_app on task for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy task_worker on task for all to "{worker}" using (true) with check (true);
create policy task_owner on task for all to "{owner}" using (true) with check (true);

create policy comment_app on comment for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy comment_owner on comment for all to "{owner}" using (true) with check (true);

create policy project_change_app on project_change for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy project_change_worker on project_change for all to "{worker}" using (true) with check (true);
create policy project_change_owner on project_change for all to "{owner}" using (true) with check (true);

grant select, insert on project to "{app}";
grant update (display_name, description, archived, updated_at, next_number, revision, own_revision) on project to "{app}";
grant select, insert, delete on task to "{app}";
grant update (title, description, status, priority, assignee_id, due_at, labels, updated_at, revision, commenter_ids) on task to "{app}";
grant select, insert, delete on comment to "{app}";
grant update (body, updated_at, revision) on comment to "{app}";
-- What happened can't be changed.
grant select, insert on project_change to "{app}";

-- The worker takes tasks away from people who left, and old changes out of the table.
grant select on project to "{worker}";
grant update (revision) on project to "{worker}";
grant select on task to "{worker}";
grant update (assignee_id, updated_at, revision) on task to "{worker}";
grant select, insert, delete on project_change to "{worker}";
