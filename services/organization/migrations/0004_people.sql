-- +goose Up
-- A suspended member keeps roles and teams, and may do nothing.
alter table member
    add column suspended_at      timestamptz,
    add column suspension_reason text not null default '',
    add constraint member_suspension check (suspended_at is not null or suspension_reason = '');

create table team (
    organization_id uuid        not null references organization (id),
    id              uuid        not null,
    display_name    text        not null check (char_length(display_name) between 1 and 100),
    description     text        not null,
    -- Changed under the organization's row lock only: that no team is below itself, and none too deep, is seen across rows.
    parent_id       uuid,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    revision        bigint      not null,
    primary key (organization_id, id),
    -- No team is deleted that has teams below it, but with the whole organization.
    foreign key (organization_id, parent_id) references team (organization_id, id) on delete cascade
);
create index team_created on team (organization_id, created_at, id);
create index team_parent on team (organization_id, parent_id);

create table team_member (
    organization_id uuid        not null,
    team_id         uuid        not null,
    user_id         uuid        not null,
    role            text        not null check (role in ('member', 'lead')),
    joined_at       timestamptz not null,
    primary key (organization_id, team_id, user_id),
    foreign key (organization_id, team_id) references team (organization_id, id) on delete cascade,
    -- Who leaves the organization leaves all teams.
    foreign key (organization_id, user_id) references member (organization_id, user_id) on delete cascade
);
create index team_member_joined on team_member (organization_id, team_id, joined_at, user_id);
-- The teams of a person.
create index team_member_user on team_member (organization_id, user_id);

-- The teams that a person is in: their own and those above these, as many as there may be levels.
create view reached_team with (security_invoker = true) as
    select place.organization_id, place.user_id, place.team_id from team_member place
    union
    select place.organization_id, place.user_id, own.parent_id
    from team_member place
    join team own on own.organization_id = place.organization_id and own.id = place.team_id
    where own.parent_id is not null
    union
    select place.organization_id, place.user_id, above.parent_id
    from team_member place
    join team own on own.organization_id = place.organization_id and own.id = place.team_id
    join team above on above.organization_id = own.organization_id and above.id = own.parent_id
    where above.parent_id is not null;

-- The open offer of an owner's place: one at a time, gone with either of the two.
create table ownership_transfer (
    organization_id uuid        primary key,
    id              uuid        not null,
    owner_id        uuid        not null,
    user_id         uuid        not null,
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    foreign key (organization_id, owner_id) references member (organization_id, user_id) on delete cascade,
    foreign key (organization_id, user_id) references member (organization_id, user_id) on delete cascade
);
create index ownership_transfer_owner on ownership_transfer (organization_id, owner_id);
create index ownership_transfer_user on ownership_transfer (organization_id, user_id);

create table invitation_link (
    organization_id uuid        not null references organization (id),
    id              uuid        not null,
    role_id         text        not null,
    -- The link works as long as its maker may give its role.
    creator_id      uuid        not null,
    -- Only addresses of this domain may use it; '' for all.
    email_domain    text        not null,
    max_uses        integer     not null check (max_uses > 0),
    uses            integer     not null default 0 check (uses between 0 and max_uses),
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    revoked_at      timestamptz,
    primary key (organization_id, id)
);
create index invitation_link_created on invitation_link (organization_id, created_at, id);

-- As invitation_token, for links: a hash and where it leads.
create table invitation_link_token (
    hash            bytea primary key check (octet_length(hash) = 32),
    organization_id uuid  not null,
    link_id         uuid  not null,
    constraint invitation_link_token_link unique (organization_id, link_id),
    foreign key (organization_id, link_id) references invitation_link (organization_id, id)
);

alter table team enable row level security;
alter table team force row level security;
alter table team_member enable row level security;
alter table team_member force row level security;
alter table ownership_transfer enable row level security;
alter table ownership_transfer force row level security;
alter table invitation_link enable row level security;
alter table invitation_link force row level security;
alter table invitation_link_token enable row level security;
alter table invitation_link_token force row level security;

create policy team_organization on team for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy team_owner on team for all to "{owner}" using (true) with check (true);

create policy team_member_organization on team_member for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy team_member_owner on team_member for all to "{owner}" using (true) with check (true);

create policy ownership_transfer_organization on ownership_transfer for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy ownership_transfer_owner on ownership_transfer for all to "{owner}" using (true) with check (true);

create policy invitation_link_organization on invitation_link for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy invitation_link_owner on invitation_link for all to "{owner}" using (true) with check (true);

-- A look-up is by the hash of a secret, in no organization yet; a row is written only in its own.
create policy invitation_link_token_find on invitation_link_token for select to "{app}" using (true);
create policy invitation_link_token_make on invitation_link_token for insert to "{app}"
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy invitation_link_token_owner on invitation_link_token for all to "{owner}" using (true) with check (true);

grant update (suspended_at, suspension_reason) on member to "{app}";
grant select, insert, update (display_name, description, parent_id, updated_at, revision), delete on team to "{app}";
grant select, insert, update (role), delete on team_member to "{app}";
grant select on reached_team to "{app}";
grant select, insert, delete on ownership_transfer to "{app}";
grant select, insert, update (uses, revoked_at) on invitation_link to "{app}";
grant select, insert on invitation_link_token to "{app}";
