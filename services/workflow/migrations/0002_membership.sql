-- +goose Up
-- The latest that organization has told of each person's membership. It does not say who is a member: organization is
-- asked for that before a transaction begins. This says in the transaction whether that verdict was overtaken by a removal.
create table membership (
    organization_id uuid        not null,
    user_id         uuid        not null,
    removed         boolean     not null,
    -- When it happened: what is heard late, or again, changes nothing.
    changed_at      timestamptz not null,
    primary key (organization_id, user_id)
);

alter table membership enable row level security;
alter table membership force row level security;

create policy membership_app on membership for select to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy membership_worker on membership for all to "{worker}" using (true) with check (true);
create policy membership_owner on membership for all to "{owner}" using (true) with check (true);

grant select on membership to "{app}";
grant select, insert, update (removed, changed_at) on membership to "{worker}";
