-- +goose Up
create table mail_domain (
    organization_id   uuid        not null references organization (id),
    id                uuid        not null,
    -- Lower case, ASCII (IDNA).
    name              text        not null,
    -- What the TXT record must show. It is kept, and not derived, so that new keys end no proof that is published.
    proof             text        not null,
    state             text        not null check (state in ('pending', 'verified', 'lost')),
    auto_join_role_id text        not null,
    capture           boolean     not null,
    -- How many days in a row the record was not there.
    misses            integer     not null,
    created_at        timestamptz not null,
    verified_at       timestamptz,
    -- When the record is looked up next by itself; of verified domains only.
    check_at          timestamptz not null,
    revision          bigint      not null,
    primary key (organization_id, id),
    constraint mail_domain_name unique (organization_id, name)
);
-- One organization at a time, whichever; also how a person's address finds it.
create unique index mail_domain_verified on mail_domain (name) where state = 'verified';
create index mail_domain_created on mail_domain (organization_id, created_at, id);
create index mail_domain_due on mail_domain (check_at) where state = 'verified';

alter table mail_domain enable row level security;
alter table mail_domain force row level security;

create policy mail_domain_organization on mail_domain for all to "{app}"
    using (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid)
    with check (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
-- A person with a proven address of the domain finds who has it; the domain is set after the address was asked for.
create policy mail_domain_join on mail_domain for select to "{app}"
    using (state = 'verified' and name = nullif(current_setting('app.mail_domain', true), ''));
-- The job that looks records up finds out where to look; it writes as the organization.
create policy mail_domain_worker on mail_domain for select to "{worker}" using (true);
create policy mail_domain_owner on mail_domain for all to "{owner}" using (true) with check (true);

grant select, insert, update (state, auto_join_role_id, capture, misses, verified_at, check_at, revision), delete on mail_domain to "{app}";
grant select (organization_id, id, name, proof, state, check_at) on mail_domain to "{worker}";
