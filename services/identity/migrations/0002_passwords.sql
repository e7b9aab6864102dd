-- +goose Up
alter table registration
    -- SHA-256 of the link's token, which has 256 bits; null for registrations from before there were links.
    add column token_hash bytea,
    -- Keyed hash of the network it was asked for from: a code is sent again to nobody else's account.
    add column client_key bytea not null default '',
    -- A code was asked for again and nothing waited for one: the mail says so and no code proves it.
    add column hollow boolean not null default false;
create unique index registration_token_hash on registration (token_hash);

-- Passwords that were forgotten. A row is found by its token's hash or, for the mail, by its id.
create table password_reset (
    id         uuid        primary key,
    email_key  text        not null,
    email      text        not null,
    -- Null when the address has no account: the mail says so and no token works.
    account_id uuid        references account (id) on delete cascade,
    -- The token is derived from id and nonce and stored nowhere.
    nonce      bytea       not null,
    token_hash bytea       not null unique,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index password_reset_account on password_reset (account_id);
create index password_reset_expires_at on password_reset (expires_at);
alter table password_reset enable row level security;
alter table password_reset force row level security;
create policy password_reset_address on password_reset for insert to "{app}"
    with check (email_key = nullif(current_setting('app.email', true), ''));
create policy password_reset_own on password_reset for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy password_reset_worker on password_reset for all to "{worker}" using (true) with check (true);
create policy password_reset_owner on password_reset for all to "{owner}" using (true) with check (true);
grant select (id, account_id, token_hash), insert, delete on password_reset to "{app}";
grant select, delete on password_reset to "{worker}";

-- Addresses that users want to have instead of theirs. What is over stays for a day: the old address is told of it, however
-- long its mail takes.
create table email_change (
    id         uuid        primary key,
    account_id uuid        not null references account (id) on delete cascade,
    -- Only the last wish of a user is live, until it is made.
    live       boolean     not null,
    old_email  text        not null,
    email_key  text        not null,
    email      text        not null,
    -- The address had an account already: the mail to it says so and no token works.
    taken      boolean     not null,
    nonce      bytea       not null,
    token_hash bytea       not null unique,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create unique index email_change_live on email_change (account_id) where live;
create index email_change_account on email_change (account_id);
create index email_change_expires_at on email_change (expires_at);
alter table email_change enable row level security;
alter table email_change force row level security;
create policy email_change_own on email_change for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy email_change_worker on email_change for all to "{worker}" using (true) with check (true);
create policy email_change_owner on email_change for all to "{owner}" using (true) with check (true);
grant select (id, account_id, live), insert, update (live) on email_change to "{app}";
grant select, delete on email_change to "{worker}";

-- Devices that have logged in before, by SHA-256 of their tokens.
create table device (
    hash         bytea       primary key,
    account_id   uuid        not null references account (id) on delete cascade,
    created_at   timestamptz not null,
    expires_at   timestamptz not null
);
create index device_account on device (account_id, created_at);
create index device_expires_at on device (expires_at);
alter table device enable row level security;
alter table device force row level security;
create policy device_own on device for all to "{app}"
    using (account_id = nullif(current_setting('app.user_id', true), '')::uuid)
    with check (account_id = nullif(current_setting('app.user_id', true), '')::uuid);
create policy device_worker on device for all to "{worker}" using (true) with check (true);
create policy device_owner on device for all to "{owner}" using (true) with check (true);
grant select, insert, delete on device to "{app}";
grant select, delete on device to "{worker}";

-- What was spent of a budget: mails to an address, wrong passwords of a client. Requests have no right to the table, only
-- to the functions below, each for the keys that it names; a key is a keyed hash, so the table says nothing of people.
create table budget (
    key            bytea       primary key,
    -- In the present window or, while locked, since the lock began.
    spent          integer     not null,
    window_ends_at timestamptz not null,
    locked_until   timestamptz,
    -- How many locks there were in a row; each lasts twice as long as the one before.
    locks          integer     not null default 0,
    expires_at     timestamptz not null
);
create index budget_expires_at on budget (expires_at);
alter table budget enable row level security;
alter table budget force row level security;
create policy budget_worker on budget for all to "{worker}" using (true) with check (true);
create policy budget_owner on budget for all to "{owner}" using (true) with check (true);
grant select, delete on budget to "{worker}";

-- Spends one of a budget and says whether it was there. One statement: processes that spend at once wait for each other.
create function spend_budget(wanted bytea, allowed integer, moment timestamptz, lasts interval)
    returns boolean
    language sql volatile security definer set search_path = public, pg_temp
as $$
    insert into budget as b (key, spent, window_ends_at, expires_at)
    values (wanted, 1, moment + lasts, moment + lasts)
    on conflict (key) do update set
        spent = case when b.window_ends_at <= moment then 1 else least(b.spent, allowed) + 1 end,
        window_ends_at = case when b.window_ends_at <= moment then moment + lasts else b.window_ends_at end,
        expires_at = case when b.window_ends_at <= moment then moment + lasts else b.expires_at end
    returning spent <= allowed
$$;

-- What is left of the present window of a budget that may not be there: the part of those who only ask.
create function read_budget(wanted bytea, moment timestamptz)
    returns table (spent integer, window_ends_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select b.spent, b.window_ends_at from budget b where b.key = wanted and b.window_ends_at > moment
$$;

-- +goose StatementBegin
-- Judges one guess of a password or code by the guesses that were judged before it, and counts it when it is wrong. The
-- subject's row is locked, so guesses at once are judged one after another, whichever process they reach. The verdict is
-- 'open', 'locked' (right, but under a lock) or 'closed'.
create function judge_guess(subject bytea, correct boolean, allowed integer, moment timestamptz, lasts interval,
                            shortest interval, longest interval)
    returns table (verdict text, until timestamptz)
    language plpgsql volatile security definer set search_path = public, pg_temp
as $$
declare
    state budget;
    locked boolean;
begin
    if correct then
        select * into state from budget b where b.key = subject for update;
        if not found then
            return query select 'open', null::timestamptz;
            return;
        end if;
    else
        insert into budget (key, spent, window_ends_at, expires_at) values (subject, 0, moment + lasts, moment + lasts)
        on conflict (key) do nothing;
        select * into state from budget b where b.key = subject for update;
    end if;
    locked := coalesce(state.locked_until > moment, false);
    if correct and not locked then
        delete from budget b where b.key = subject;
        return query select 'open', null::timestamptz;
        return;
    end if;
    -- Under a lock a right guess is told from wrong ones as often as without: else a lock would change nothing.
    if correct and state.spent < allowed then
        return query select 'locked', state.locked_until;
        return;
    end if;
    if not locked and (state.locked_until is not null or state.window_ends_at <= moment) then
        state.spent := 0;
        state.window_ends_at := moment + lasts;
        state.locked_until := null;
    end if;
    state.spent := least(state.spent + 1, allowed);
    if not locked and state.spent >= allowed then
        state.locked_until := moment + least(shortest * power(2, least(state.locks, 16)), longest);
        state.locks := state.locks + 1;
        state.spent := 0;
    end if;
    -- The locks in a row are remembered for as long as the longest.
    update budget b set spent = state.spent, window_ends_at = state.window_ends_at, locked_until = state.locked_until,
        locks = state.locks,
        expires_at = greatest(state.window_ends_at, state.locked_until) + case when state.locks > 0 then longest else interval '0' end
    where b.key = subject;
    return query select 'closed', state.locked_until;
end
$$;
-- +goose StatementEnd

-- Grows with every other password, not with another hash of the same.
alter table credential add column revision integer not null default 1;
grant select (revision), update (revision) on credential to "{app}";
drop function find_credential(text);
create function find_credential(wanted text)
    returns table (account_id uuid, password_hash text, email text, display_name text, revision bigint,
                   created_at timestamptz, updated_at timestamptz, password_revision integer)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select a.id, c.password_hash, a.email, a.display_name, a.revision, a.created_at, a.updated_at, c.revision
    from credential c join account a on a.id = c.account_id
    where c.email_key = wanted
$$;

-- Says whether the password is still the one that was proven, and keeps it so until the transaction ends: a session that
-- begins with an old password can't slip past the end of all sessions.
create function hold_password(wanted uuid, password_revision integer)
    returns boolean
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select c.revision = password_revision from credential c where c.account_id = wanted for no key update
$$;

-- Look-ups by what a stranger must already hold, as those of the first migration.
create function find_device(wanted bytea, moment timestamptz)
    returns table (account_id uuid)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select d.account_id from device d where d.hash = wanted and d.expires_at > moment
$$;

create function find_registration_mail(wanted uuid)
    returns table (email text, display_name text, nonce bytea, account_exists boolean, hollow boolean, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select r.email, r.display_name, r.nonce, r.account_exists, r.hollow, r.expires_at from registration r where r.id = wanted
$$;

create function claim_registration(wanted bytea)
    returns table (id uuid, email text, email_key text, display_name text, password_hash text, expires_at timestamptz)
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select r.id, r.email, r.email_key, r.display_name, r.password_hash, r.expires_at
    from registration r where r.token_hash = wanted and not r.account_exists and not r.hollow
    for update
$$;

create function find_password_reset(wanted bytea)
    returns table (account_id uuid, email text, display_name text, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select a.id, a.email, a.display_name, p.expires_at
    from password_reset p join account a on a.id = p.account_id where p.token_hash = wanted
$$;

create function find_password_reset_mail(wanted uuid)
    returns table (email text, nonce bytea, account_exists boolean, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select p.email, p.nonce, p.account_id is not null, p.expires_at from password_reset p where p.id = wanted
$$;

create function claim_email_change(wanted bytea)
    returns table (id uuid, account_id uuid, expires_at timestamptz)
    language sql volatile security definer set search_path = public, pg_temp
as $$
    select c.id, c.account_id, c.expires_at from email_change c where c.token_hash = wanted and c.live and not c.taken for update
$$;

create function find_email_change_mail(wanted uuid)
    returns table (new_email text, old_email text, nonce bytea, taken boolean, live boolean, expires_at timestamptz)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select c.email, c.old_email, c.nonce, c.taken, c.live, c.expires_at from email_change c where c.id = wanted
$$;

-- +goose StatementBegin
-- Gives the user that the transaction acts as the address of the change, and no other: requests can't write addresses.
create function make_email_change(wanted uuid, moment timestamptz)
    returns void
    language sql volatile security definer set search_path = public, pg_temp
as $$
    update credential set email_key = c.email_key, updated_at = moment
    from email_change c where c.id = wanted and credential.account_id = c.account_id
        and c.account_id = nullif(current_setting('app.user_id', true), '')::uuid;
    update account set email = c.email, revision = account.revision + 1, updated_at = moment
    from email_change c where c.id = wanted and account.id = c.account_id
        and c.account_id = nullif(current_setting('app.user_id', true), '')::uuid;
$$;
-- +goose StatementEnd

revoke all on function find_credential(text) from public;
revoke all on function hold_password(uuid, integer) from public;
revoke all on function spend_budget(bytea, integer, timestamptz, interval) from public;
revoke all on function read_budget(bytea, timestamptz) from public;
revoke all on function judge_guess(bytea, boolean, integer, timestamptz, interval, interval, interval) from public;
revoke all on function find_device(bytea, timestamptz) from public;
revoke all on function find_registration_mail(uuid) from public;
revoke all on function claim_registration(bytea) from public;
revoke all on function find_password_reset(bytea) from public;
revoke all on function find_password_reset_mail(uuid) from public;
revoke all on function claim_email_change(bytea) from public;
revoke all on function find_email_change_mail(uuid) from public;
revoke all on function make_email_change(uuid, timestamptz) from public;
grant execute on function find_credential(text) to "{app}";
grant execute on function hold_password(uuid, integer) to "{app}";
grant execute on function spend_budget(bytea, integer, timestamptz, interval) to "{app}";
grant execute on function read_budget(bytea, timestamptz) to "{app}";
grant execute on function judge_guess(bytea, boolean, integer, timestamptz, interval, interval, interval) to "{app}";
grant execute on function find_device(bytea, timestamptz) to "{app}";
grant execute on function find_registration_mail(uuid) to "{app}";
grant execute on function claim_registration(bytea) to "{app}";
grant execute on function find_password_reset(bytea) to "{app}";
grant execute on function find_password_reset_mail(uuid) to "{app}";
grant execute on function claim_email_change(bytea) to "{app}";
grant execute on function find_email_change_mail(uuid) to "{app}";
grant execute on function make_email_change(uuid, timestamptz) to "{app}";
