-- +goose Up
-- People with a proven address. A person sees their own row; another service is answered under that person's id.
create table account (
    id           uuid        primary key,
    -- As it was typed when the account was asked for.
    email        text        not null,
    display_name text        not null,
    -- Grows with every change; the etag and the order of updates in other services.
    revision     bigint      not null,
    created_at   timestamptz not null,
    updated_at   timestamptz not null
);
alter table account enable row level security;
alter table account force row level security;
create policy account_own on account for all to "{app}"
    using (id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy account_owner on account for all to "{owner}" using (true) with check (true);
grant select, insert on account to "{app}";
grant update (display_name, revision, updated_at) on account to "{app}";

-- From address to password. Requests can't read it but through find_credential, one address at a time.
create table credential (
    -- The address in the one spelling it is compared in.
    email_key     text        primary key,
    account_id    uuid        not null unique references account (id) on delete cascade,
    -- argon2id in PHC form, with its parameters.
    password_hash text        not null,
    updated_at    timestamptz not null
);
alter table credential enable row level security;
alter table credential force row level security;
create policy credential_own on credential for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy credential_owner on credential for all to "{owner}" using (true) with check (true);
grant select (account_id), insert, update (password_hash, updated_at) on credential to "{app}";

-- Accounts that were asked for and wait for the code from the mail. Nobody is signed in yet, so the key to the rows is
-- the address, which the transaction names in app.email.
create table registration (
    id             uuid        primary key,
    email_key      text        not null,
    email          text        not null,
    display_name   text        not null,
    password_hash  text        not null,
    -- The code is derived from id and nonce and stored nowhere.
    nonce          bytea       not null,
    -- Keyed hash of id and code.
    code_hash      bytea       not null,
    tries          integer     not null,
    -- The address had an account already: the mail says so and no code proves it.
    account_exists boolean     not null,
    created_at     timestamptz not null,
    expires_at     timestamptz not null
);
create index registration_email_key on registration (email_key, created_at);
create index registration_expires_at on registration (expires_at);
alter table registration enable row level security;
alter table registration force row level security;
create policy registration_address on registration for all to "{app}"
    using (email_key = nullif(current_setting('app.email', true), ''))
    with check (email_key = nullif(current_setting('app.email', true), ''));
create policy registration_worker on registration for all to "{worker}" using (true) with check (true);
create policy registration_owner on registration for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (tries) on registration to "{app}";
grant select, delete on registration to "{worker}";

-- One login on one device. It ends by being deleted, its tokens with it.
create table session (
    id             uuid        primary key,
    account_id     uuid        not null references account (id) on delete cascade,
    user_agent     text        not null,
    client_address text        not null,
    created_at     timestamptz not null,
    last_used_at   timestamptz not null,
    expires_at     timestamptz not null,
    unique (id, account_id)
);
create index session_account on session (account_id, created_at, id);
create index session_expires_at on session (expires_at);
alter table session enable row level security;
alter table session force row level security;
create policy session_own on session for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy session_worker on session for all to "{worker}" using (true) with check (true);
create policy session_owner on session for all to "{owner}" using (true) with check (true);
grant select, insert, delete, update (last_used_at, expires_at) on session to "{app}";
grant select, delete on session to "{worker}";

-- The refresh tokens of a session, used ones too: that is how a stolen one shows.
create table refresh_token (
    -- SHA-256 of the token, which has 256 random bits: there is nothing to guess.
    hash          bytea       primary key,
    session_id    uuid        not null,
    account_id    uuid        not null,
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    used_at       timestamptz,
    -- The answer to its use, sealed under a key that only the token gives; kept for the seconds of a retry.
    sealed_answer bytea,
    foreign key (session_id, account_id) references session (id, account_id) on delete cascade
);
create index refresh_token_session on refresh_token (session_id);
create index refresh_token_expires_at on refresh_token (expires_at);
create index refresh_token_sealed on refresh_token (used_at) where sealed_answer is not null;
alter table refresh_token enable row level security;
alter table refresh_token force row level security;
create policy refresh_token_own on refresh_token for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy refresh_token_worker on refresh_token for all to "{worker}" using (true) with check (true);
create policy refresh_token_owner on refresh_token for all to "{owner}" using (true) with check (true);
grant select (hash, session_id, account_id, sealed_answer), insert, update (used_at, sealed_answer) on refresh_token to "{app}";
grant select, delete, update (sealed_answer) on refresh_token to "{worker}";

-- The keys that sign access tokens: the newest signs, all verify. Requests see the public halves.
create table signing_key (
    -- The thumbprint of the public key.
    id             text        primary key,
    public_key     bytea       not null,
    -- Sealed with the service's keys, bound to the id.
    sealed_private bytea       not null,
    created_at     timestamptz not null
);
alter table signing_key enable row level security;
alter table signing_key force row level security;
create policy signing_key_public on signing_key for select to "{app}" using (true);
create policy signing_key_worker on signing_key for all to "{worker}" using (true) with check (true);
create policy signing_key_owner on signing_key for all to "{owner}" using (true) with check (true);
grant select (id, public_key, created_at) on signing_key to "{app}";
grant select, insert on signing_key to "{worker}";

-- Look-ups by what a stranger must already hold. They run as the owner, so that requests need no policy that lets
-- them read whole tables; each answers for one key only.
create function find_credential(wanted text)
    returns table (account_id uuid, password_hash text, email text, display_name text, revision bigint,
                   created_at timestamptz, updated_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select a.id, c.password_hash, a.email, a.display_name, a.revision, a.created_at, a.updated_at
    from credential c join account a on a.id = c.account_id
    where c.email_key = wanted
$$;

-- Locks the session first, so that of two uses of its tokens the second sees what the first did.
create function claim_refresh_token(wanted bytea)
    returns table (session_id uuid, account_id uuid, session_expires_at timestamptz, expires_at timestamptz,
                   used_at timestamptz, sealed_answer bytea)
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select s.id, s.account_id, s.expires_at, t.expires_at, t.used_at, t.sealed_answer
    from session s join refresh_token t on t.session_id = s.id
    where t.hash = wanted
    for update of s, t
$$;

create function find_session(wanted uuid)
    returns table (account_id uuid, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select s.account_id, s.expires_at from session s where s.id = wanted
$$;

create function find_registration(wanted uuid)
    returns table (email text, display_name text, nonce bytea, account_exists boolean, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select r.email, r.display_name, r.nonce, r.account_exists, r.expires_at from registration r where r.id = wanted
$$;

revoke all on function find_credential(text) from public;
revoke all on function claim_refresh_token(bytea) from public;
revoke all on function find_session(uuid) from public;
revoke all on function find_registration(uuid) from public;
grant execute on function find_credential(text) to "{app}";
grant execute on function claim_refresh_token(bytea) to "{app}";
grant execute on function find_session(uuid) to "{app}";
grant execute on function find_registration(uuid) to "{app}";
