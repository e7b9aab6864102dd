-- +goose Up
-- What people say of themselves, for lists of members.
alter table profile
    add column title       text not null default '',
    add column avatar_path text not null default '';
grant update (title, avatar_path) on profile to "{app}";
grant update (title, avatar_path) on profile to "{worker}";

-- For how many seconds a session may be left alone; 0 is no limit.
alter table policy add column session_max_pause integer not null default 0 check (session_max_pause >= 0);
grant update (session_max_pause) on policy to "{app}";

-- What identity tells of an organization's own connection, while it is required: members with an address in a captured
-- domain may act by sessions alone that have come by it.
create table sso_requirement (
    organization_id   uuid primary key references organization (id),
    sso_connection_id uuid not null
);
alter table sso_requirement enable row level security;
alter table sso_requirement force row level security;
create policy sso_requirement_organization on sso_requirement for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy sso_requirement_worker on sso_requirement for all to "{worker}" using (true) with check (true);
create policy sso_requirement_owner on sso_requirement for all to "{owner}" using (true) with check (true);
grant select on sso_requirement to "{app}";
grant select, insert, delete, update (sso_connection_id) on sso_requirement to "{worker}";

-- The organizations with a required connection that a person is a member of: a consumer that hears of another address has
-- everybody look again, and may see no membership itself.
create function find_requiring(wanted uuid)
    returns table (organization_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select m.organization_id from member m join sso_requirement r on r.organization_id = m.organization_id
    where m.user_id = wanted
$$;
revoke all on function find_requiring(uuid) from public;
grant execute on function find_requiring(uuid) to "{worker}";

-- Who is to hear of something that a consumer has heard of: it may see no member itself.
create function find_owners(wanted uuid, at_most integer)
    returns table (user_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select m.user_id from member m
    where m.organization_id = wanted and 'owner' = any (m.role_ids) and m.suspended_at is null
    order by m.joined_at limit at_most
$$;
revoke all on function find_owners(uuid, integer) from public;
grant execute on function find_owners(uuid, integer) to "{worker}";
