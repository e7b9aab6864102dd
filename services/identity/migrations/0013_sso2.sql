-- +goose Up
-- Which required connection a session satisfies, by having been made by it or, with sso_bypassed, past it by an owner;
-- and for how many seconds it has been left alone at most since its person last proved who they are.
alter table session
    add column sso_connection_id uuid,
    add column sso_bypassed      boolean not null default false,
    add column longest_pause     integer not null default 0;
grant update (longest_pause) on session to "{app}";

-- What the first step of a login has told of that; and whether a mail was asked for that proves the address to link.
alter table challenge
    add column sso_connection_id uuid,
    add column sso_bypassed      boolean not null default false;

-- find_strength with the rest of what an access token says of its session. Processes of the version before go on calling
-- the other.
create function find_standing(wanted uuid)
    returns table (authenticated_at timestamptz, methods text[], secured boolean, last_used_at timestamptz, longest_pause integer,
                   sso_connection_id uuid, sso_bypassed boolean)
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select s.authenticated_at, s.methods,
           exists (select from factor f where f.account_id = s.account_id and f.confirmed_at is not null),
           s.last_used_at, s.longest_pause, s.sso_connection_id, s.sso_bypassed
    from session s where s.id = wanted
$$;
revoke all on function find_standing(uuid) from public;
grant execute on function find_standing(uuid) to "{app}";

-- A mail that proves the address to link: its id, and what its token is derived with.
alter table challenge
    add column mail_id    uuid unique,
    add column mail_nonce bytea;
grant update (expires_at, mail_id, mail_nonce) on challenge to "{app}";

create function find_link_mail(wanted uuid)
    returns table (account_id uuid, nonce bytea, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.account_id, c.mail_nonce, c.expires_at from challenge c where c.mail_id = wanted
$$;
revoke all on function find_link_mail(uuid) from public;
grant execute on function find_link_mail(uuid) to "{app}";

-- Whose a domain is, if its people sign in by the organization.
create function find_capturing(wanted text)
    returns table (organization_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select held.organization_id
    from (select d.organization_id, d.capture from verified_domain d where d.domain = wanted order by d.verified_at desc limit 1) held
    where held.capture
$$;
revoke all on function find_capturing(text) from public;
grant execute on function find_capturing(text) to "{app}";
