-- +goose Up
-- What an organization asks of everybody who acts in it. Without a row it asks for nothing.
create table policy (
    organization_id          uuid        primary key references organization (id),
    second_factor            boolean     not null,
    second_factor_grace_days integer     not null check (second_factor_grace_days >= 0),
    -- Since when a second factor is asked for.
    second_factor_since      timestamptz check ((second_factor_since is not null) = second_factor),
    -- Seconds; 0 is no limit.
    session_max_age          integer     not null check (session_max_age >= 0),
    -- In CIDR notation, as Go writes it.
    allowed_networks         text[]      not null,
    invitation_domains       text[]      not null,
    api_keys                 boolean     not null,
    updated_at               timestamptz not null,
    revision                 bigint      not null
);

alter table policy enable row level security;
alter table policy force row level security;

create policy policy_organization on policy for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy policy_owner on policy for all to "{owner}" using (true) with check (true);

grant select, insert, update (second_factor, second_factor_grace_days, second_factor_since, session_max_age, allowed_networks,
    invitation_domains, api_keys, updated_at, revision) on policy to "{app}";
