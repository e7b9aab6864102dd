-- +goose Up
create table organization (
    id           uuid        primary key,
    display_name text        not null check (char_length(display_name) between 1 and 100),
    slug         text        not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    revision     bigint      not null,
    constraint organization_slug_key unique (slug)
);

create table member (
    organization_id uuid        not null references organization (id),
    user_id         uuid        not null,
    -- System roles' ids are their names. A member without a role would be a person who may do nothing but is not told so.
    role_ids        text[]      not null check (cardinality(role_ids) > 0),
    joined_at       timestamptz not null,
    revision        bigint      not null,
    primary key (organization_id, user_id)
);
-- The list of members, in the order they joined.
create index member_joined on member (organization_id, joined_at, user_id);
-- A person's organizations, and who may see a person's profile.
create index member_user on member (user_id);
-- Counted, under the organization's row lock, before an owner goes.
create index member_owner on member (organization_id) where 'owner' = any (role_ids);

-- What organization last heard of a person: one row for all their memberships. The row may be older than the first
-- membership, because a change that is heard of while somebody joins must not be lost.
create table profile (
    user_id      uuid   primary key,
    display_name text   not null,
    email        text   not null,
    -- The address in the form in which addresses are compared.
    email_key    text   not null,
    -- Identity's revision of the user; 0 when the values came by a call, so that every event is newer.
    revision     bigint not null
);
-- Whether an invited address is a member's already.
create index profile_email on profile (email_key);

create table invitation (
    organization_id uuid        not null references organization (id),
    id              uuid        not null,
    email           text        not null,
    email_key       text        not null,
    role_id         text        not null,
    -- 'pending' past its expiry is expired, whether or not somebody has written it down.
    state           text        not null check (state in ('pending', 'accepted', 'rejected', 'revoked', 'expired')),
    inviter_id      uuid        not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    expires_at      timestamptz not null,
    -- Counts the mails; each has a token of its own, and only the last one works.
    sending         integer     not null check (sending > 0),
    primary key (organization_id, id)
);
create unique index invitation_pending on invitation (organization_id, email_key) where state = 'pending';
create index invitation_created on invitation (organization_id, created_at, id);

-- Finds the invitation of a token before anybody knows the organization. It holds nothing but the hash and where it
-- leads.
create table invitation_token (
    hash            bytea primary key check (octet_length(hash) = 32),
    organization_id uuid  not null,
    invitation_id   uuid  not null,
    constraint invitation_token_invitation unique (organization_id, invitation_id),
    foreign key (organization_id, invitation_id) references invitation (organization_id, id)
);

alter table organization enable row level security;
alter table organization force row level security;
alter table member enable row level security;
alter table member force row level security;
alter table profile enable row level security;
alter table profile force row level security;
alter table invitation enable row level security;
alter table invitation force row level security;
alter table invitation_token enable row level security;
alter table invitation_token force row level security;

create policy member_organization on member for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy member_self on member for select to "{app}"
    using (user_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy member_owner on member for all to "{owner}" using (true) with check (true);

create policy organization_own on organization for all to "{app}"
    using (id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (id = nullif(current_setting('app.organization_id', true), '')::uuid);
-- A person sees the organizations they are in: the policies of member hold inside, too.
create policy organization_member on organization for select to "{app}"
    using (exists (select from member where member.organization_id = organization.id
        and member.user_id = nullif(current_setting('app.user_id', true), '')::uuid));
create policy organization_owner on organization for all to "{owner}" using (true) with check (true);

-- Whoever sees a membership sees its person; nobody else does.
create policy profile_member on profile for all to "{app}"
    using (exists (select from member where member.user_id = profile.user_id))
    with check (exists (select from member where member.user_id = profile.user_id));
create policy profile_worker on profile for all to "{worker}" using (true) with check (true);
create policy profile_owner on profile for all to "{owner}" using (true) with check (true);

create policy invitation_organization on invitation for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy invitation_owner on invitation for all to "{owner}" using (true) with check (true);

-- A look-up is by the hash of a secret, in no organization yet; a row is written only in its own.
create policy invitation_token_find on invitation_token for select to "{app}" using (true);
create policy invitation_token_make on invitation_token for insert to "{app}"
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy invitation_token_renew on invitation_token for update to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy invitation_token_owner on invitation_token for all to "{owner}" using (true) with check (true);

grant select, insert, update (display_name, slug, updated_at, revision) on organization to "{app}";
grant select, insert, update (role_ids, revision), delete on member to "{app}";
grant select, insert, update (display_name, email, email_key, revision) on profile to "{app}";
grant select, insert, update (state, updated_at, expires_at, sending) on invitation to "{app}";
grant select, insert, update (hash) on invitation_token to "{app}";
grant select, insert, update (display_name, email, email_key, revision) on profile to "{worker}";
