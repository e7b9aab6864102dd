-- +goose Up
-- What lets operators of the deployment in. A grant stays when it has ended, so that its owners see who was there.
create table support_grant (
    organization_id  uuid        not null references organization (id),
    id               uuid        not null,
    -- 'grant': an owner made it; 'break_glass': an operator made it, for themselves alone.
    kind             text        not null check (kind in ('grant', 'break_glass')),
    access           text        not null check (access in ('read', 'write')),
    reason           text        not null check (char_length(reason) between 1 and 500),
    creator_id       uuid        not null,
    -- The only operator that it is for; null for all.
    operator_id      uuid,
    created_at       timestamptz not null,
    expires_at       timestamptz not null,
    revoked_at       timestamptz,
    revoker_id       uuid,
    -- By the requests that were heard of, in whatever order.
    last_used_at     timestamptz,
    last_operator_id uuid,
    revision         bigint      not null,
    primary key (organization_id, id),
    check (kind <> 'break_glass' or (access = 'read' and operator_id is not null)),
    check ((revoked_at is null) = (revoker_id is null)),
    check ((last_used_at is null) = (last_operator_id is null)),
    check (expires_at > created_at and expires_at <= created_at + interval '7 days')
);
create index support_grant_created on support_grant (organization_id, created_at, id);
-- Those that may let somebody in.
create index support_grant_live on support_grant (organization_id, expires_at) where revoked_at is null;

alter table support_grant enable row level security;
alter table support_grant force row level security;

create policy support_grant_organization on support_grant for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy support_grant_worker on support_grant for all to "{worker}" using (true) with check (true);
create policy support_grant_owner on support_grant for all to "{owner}" using (true) with check (true);

grant select, insert, update (access, reason, expires_at, revoked_at, revoker_id, revision) on support_grant to "{app}";
-- The worker hears of uses.
grant select, update (last_used_at, last_operator_id) on support_grant to "{worker}";
-- Whom it tells of the first.
create policy member_worker_owner on member for select to "{worker}" using ('owner' = any (role_ids));
grant select (organization_id, user_id, role_ids, suspended_at, joined_at) on member to "{worker}";
