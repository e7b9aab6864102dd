-- +goose Up
-- Who was taken out of an organization, or left it suspended: no domain, connection or older link lets them back in, only
-- an invitation, or a link that was made since.
create table removed_member (
    organization_id uuid        not null references organization (id),
    user_id         uuid        not null,
    removed_at      timestamptz not null,
    primary key (organization_id, user_id)
);
alter table removed_member enable row level security;
alter table removed_member force row level security;
create policy removed_member_organization on removed_member for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy removed_member_worker on removed_member for all to "{worker}" using (true) with check (true);
create policy removed_member_owner on removed_member for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (removed_at) on removed_member to "{app}";
grant select, delete on removed_member to "{worker}";
