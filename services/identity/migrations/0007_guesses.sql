-- +goose Up
-- Wrong codes count for their client and for their address (budget), no longer against what is pending. The column stays for
-- processes of the version before.
alter table registration alter column tries set default 0;

-- +goose StatementBegin
-- Judges one guess of a password or code by the guesses that were judged before it, and counts it when it is wrong. The
-- subject's row is locked, so guesses at once are judged one after another, whichever process they reach. The verdict is
-- 'open', 'locked' (right, but under a lock), 'closed', or 'shut': under a lock so many guesses are told from right ones as
-- told says, and then none is looked at. The function without told is for processes of the version before.
create function judge_guess(subject bytea, correct boolean, allowed integer, told integer, moment timestamptz,
                            lasts interval, shortest interval, longest interval)
    returns table (verdict text, until timestamptz)
    language plpgsql volatile security definer set search_path = public, pg_temp
as $$
declare
    state budget;
    locked boolean;
begin
    if not correct then
        insert into budget (key, spent, window_ends_at, expires_at) values (subject, 0, moment + lasts, moment + lasts)
        on conflict (key) do nothing;
    end if;
    select * into state from budget b where b.key = subject for update;
    locked := coalesce(state.locked_until > moment, false);
    if correct and not locked then
        delete from budget b where b.key = subject;
        return query select 'open', null::timestamptz;
        return;
    end if;
    -- Were it told for ever who is right under a lock, a lock would change nothing.
    if locked and state.spent >= told then
        return query select 'shut', state.locked_until;
        return;
    end if;
    if correct then
        return query select 'locked', state.locked_until;
        return;
    end if;
    if not locked and (state.locked_until is not null or state.window_ends_at <= moment) then
        state.spent := 0;
        state.window_ends_at := moment + lasts;
        state.locked_until := null;
    end if;
    state.spent := state.spent + 1;
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
revoke all on function judge_guess(bytea, boolean, integer, integer, timestamptz, interval, interval, interval) from public;
grant execute on function judge_guess(bytea, boolean, integer, integer, timestamptz, interval, interval, interval) to "{app}";
