-- +goose Up
-- Who came by a provider alone has no password: the hash is empty then, which none is.
alter table credential add column has_password boolean not null generated always as (password_hash <> '') stored;
grant select (has_password) on credential to "{app}";

-- What the first step of a login was proven with; the default is for processes of the version before.
alter table challenge
    add column methods text[] not null default '{pwd}',
    drop constraint challenge_kind_check,
    add constraint challenge_kind_check check (kind in ('login', 'passkey', 'registration', 'provider', 'link'));

-- People at providers, linked to users. The same person is known by the provider, its issuer and the subject: an address
-- may pass to somebody else, and an issuer may be exchanged.
create table external_identity (
    id           uuid        primary key,
    account_id   uuid        not null references account (id) on delete cascade,
    -- The deployment's provider, "provider/<id>", or an organization's, "connection/<id>".
    source       text        not null,
    issuer       text        not null,
    subject      text        not null,
    -- What the provider last said; decides nothing.
    email        text        not null,
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    constraint external_identity_person_key unique (source, issuer, subject)
);
create index external_identity_account on external_identity (account_id, created_at, id);
alter table external_identity enable row level security;
alter table external_identity force row level security;
create policy external_identity_own on external_identity for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy external_identity_owner on external_identity for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (email, last_used_at) on external_identity to "{app}";

-- An organization's connection to its own provider.
create table sso_connection (
    organization_id uuid        not null,
    id              uuid        not null,
    display_name    text        not null,
    issuer          text        not null,
    client_id       text        not null,
    -- Sealed with the service's keys, bound to the id.
    sealed_secret   bytea       not null,
    default_role_id text        not null check (default_role_id in ('member', 'viewer')),
    required        boolean     not null,
    -- Grows with every change; the etag.
    revision        bigint      not null,
    created_at      timestamptz not null,
    updated_at      timestamptz not null,
    primary key (organization_id, id),
    constraint sso_connection_one unique (organization_id),
    -- A login names the connection by this alone.
    constraint sso_connection_id_key unique (id)
);
alter table sso_connection enable row level security;
alter table sso_connection force row level security;
create policy sso_connection_organization on sso_connection for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
create policy sso_connection_owner on sso_connection for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (display_name, issuer, client_id, sealed_secret, default_role_id, required, revision, updated_at)
    on sso_connection to "{app}";

-- What organization tells of verified domains. Of a domain that passes from one organization to another both may be here
-- for a moment: the one who was verified last has it.
create table verified_domain (
    organization_id uuid        not null,
    domain_id       uuid        not null,
    domain          text        not null,
    -- Whether its addresses are to sign in by the organization's connection.
    capture         boolean     not null,
    verified_at     timestamptz not null,
    primary key (organization_id, domain_id)
);
create index verified_domain_name on verified_domain (domain, verified_at desc);
alter table verified_domain enable row level security;
alter table verified_domain force row level security;
create policy verified_domain_worker on verified_domain for all to "{worker}" using (true) with check (true);
create policy verified_domain_owner on verified_domain for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (domain, capture, verified_at) on verified_domain to "{worker}";

-- Look-ups by what a stranger must already hold, as in the first migration.
create function find_external_identity(wanted_source text, wanted_issuer text, wanted_subject text)
    returns table (id uuid, account_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select e.id, e.account_id from external_identity e
    where e.source = wanted_source and e.issuer = wanted_issuer and e.subject = wanted_subject
$$;

create function find_sso_connection(wanted uuid)
    returns table (organization_id uuid, id uuid, display_name text, issuer text, client_id text, sealed_secret bytea,
                   default_role_id text, required boolean, revision bigint, created_at timestamptz, updated_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.organization_id, c.id, c.display_name, c.issuer, c.client_id, c.sealed_secret, c.default_role_id, c.required,
           c.revision, c.created_at, c.updated_at
    from sso_connection c where c.id = wanted
$$;

-- The connection that a domain's addresses sign in by.
create function find_sso(wanted text)
    returns table (organization_id uuid, id uuid, display_name text, required boolean)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.organization_id, c.id, c.display_name, c.required
    from (select d.organization_id, d.capture from verified_domain d where d.domain = wanted order by d.verified_at desc limit 1) held
    join sso_connection c on c.organization_id = held.organization_id
    where held.capture
$$;

-- Whose a domain is.
create function find_domain(wanted text)
    returns table (organization_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select d.organization_id from verified_domain d where d.domain = wanted order by d.verified_at desc limit 1
$$;

revoke all on function find_external_identity(text, text, text) from public;
revoke all on function find_sso_connection(uuid) from public;
revoke all on function find_sso(text) from public;
revoke all on function find_domain(text) from public;
grant execute on function find_external_identity(text, text, text) to "{app}";
grant execute on function find_sso_connection(uuid) to "{app}";
grant execute on function find_sso(text) to "{app}";
grant execute on function find_domain(text) to "{app}";
