-- +goose Up
-- access_revision grows with every change of who may do what in the organization, roles_revision with those of its
-- roles and permissions. Whoever changes either holds the row's lock from the beginning, so they happen one after another.
alter table organization
    add column access_revision bigint not null default 1,
    add column roles_revision bigint not null default 1;

-- What the organization adds to the permissions of the contract.
create table permission (
    organization_id uuid        not null references organization (id),
    name            text        not null,
    description     text        not null,
    created_at      timestamptz not null,
    primary key (organization_id, name)
);

create table role (
    organization_id uuid        not null references organization (id),
    id              uuid        not null,
    display_name    text        not null,
    description     text        not null,
    allowed         text[]      not null,
    denied          text[]      not null,
    -- [{"role_id", "mode", "permissions", "condition"}], in the order that they were given.
    parents         jsonb       not null,
    version         integer     not null check (version > 0),
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (organization_id, id)
);

-- What a role was after each change, the first included.
create table role_version (
    organization_id uuid        not null,
    role_id         uuid        not null,
    version         integer     not null,
    content         jsonb       not null,
    author_id       uuid        not null,
    created_at      timestamptz not null,
    primary key (organization_id, role_id, version),
    foreign key (organization_id, role_id) references role (organization_id, id) on delete cascade
);

-- The service accounts that identity told of: an assignment to another is refused.
create table service_account (
    organization_id uuid not null references organization (id),
    id              uuid not null,
    display_name    text not null,
    primary key (organization_id, id)
);

-- What somebody has besides a member's own roles, which stand in member. Nothing refers to the subject: it is a member, a
-- team or a service account, and whoever removes it removes these, and tells of each.
create table assignment (
    organization_id uuid        not null references organization (id),
    id              uuid        not null,
    subject_type    text        not null check (subject_type in ('user', 'team', 'service_account')),
    subject_id      uuid        not null,
    -- The id of a role of the organization's own, or the name of a system role.
    role_id         text        not null,
    scope_type      text        not null check (scope_type in ('organization', 'project', 'resource')),
    scope_id        uuid        check ((scope_id is null) = (scope_type = 'organization')),
    resource_type   text        not null check ((resource_type <> '') = (scope_type = 'resource')),
    owned           boolean     not null,
    delegable       boolean     not null,
    source_id       uuid,
    starts_at       timestamptz,
    expires_at      timestamptz,
    condition       text        not null,
    creator_id      uuid        not null,
    created_at      timestamptz not null,
    primary key (organization_id, id),
    foreign key (organization_id, source_id) references assignment (organization_id, id) on delete cascade
);
-- All that somebody has, and how much that is.
create index assignment_subject on assignment (organization_id, subject_id);
-- Whether a role is in use.
create index assignment_role on assignment (organization_id, role_id);
-- What was delegated from one.
create index assignment_source on assignment (organization_id, source_id) where source_id is not null;
-- The list, the newest first.
create index assignment_created on assignment (organization_id, created_at, id);
-- Whether a role is in use.
create index member_roles on member using gin (role_ids);

alter table permission enable row level security;
alter table permission force row level security;
alter table role enable row level security;
alter table role force row level security;
alter table role_version enable row level security;
alter table role_version force row level security;
alter table service_account enable row level security;
alter table service_account force row level security;
alter table assignment enable row level security;
alter table assignment force row level security;

create policy permission_organization on permission for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy permission_owner on permission for all to "{owner}" using (true) with check (true);

create policy role_organization on role for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy role_owner on role for all to "{owner}" using (true) with check (true);

create policy role_version_organization on role_version for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy role_version_owner on role_version for all to "{owner}" using (true) with check (true);

create policy service_account_organization on service_account for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy service_account_worker on service_account for all to "{worker}" using (true) with check (true);
create policy service_account_owner on service_account for all to "{owner}" using (true) with check (true);

create policy assignment_organization on assignment for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
-- A service account that is gone takes its assignments with it.
create policy assignment_worker on assignment for all to "{worker}" using (true) with check (true);
create policy assignment_owner on assignment for all to "{owner}" using (true) with check (true);

create policy organization_worker on organization for all to "{worker}" using (true) with check (true);

grant update (access_revision, roles_revision) on organization to "{app}";
grant select, insert, update (description), delete on permission to "{app}";
grant select, insert, update (display_name, description, allowed, denied, parents, version, updated_at), delete on role to "{app}";
grant select, insert on role_version to "{app}";
grant select on service_account to "{app}";
grant select, insert, delete on assignment to "{app}";
grant select, insert, update (display_name), delete on service_account to "{worker}";
grant select, delete on assignment to "{worker}";
grant select (id, access_revision, roles_revision), update (access_revision, roles_revision) on organization to "{worker}";
