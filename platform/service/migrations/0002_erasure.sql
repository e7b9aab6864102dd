-- +goose Up
-- The organizations that the service was asked to erase (platform/erasure). It holds no more than ids, and its rows stay.
create table erasure (
    -- The organization's. It has another name elsewhere, by which what must be erased is found.
    id         uuid        primary key,
    -- Which try to delete the organization this is.
    attempt_id uuid        not null,
    -- 'prepared' and 'refused' end when the deletion fails; 'erasing' and 'erased' don't end.
    phase      text        not null check (phase in ('prepared', 'refused', 'erasing', 'erased')),
    -- When the next try is due; while somebody is at it, when others may take it for dead. After 'erased', when to look
    -- once more, or null.
    next_at    timestamptz,
    failures   integer     not null default 0,
    -- How many rows were erased, by table.
    counts     jsonb       not null default '{}'
);
create index erasure_next_at on erasure (next_at) where next_at is not null;

alter table erasure enable row level security;
alter table erasure force row level security;

create policy erasure_worker on erasure for all to {worker} using (true) with check (true);
create policy erasure_owner on erasure for all to {owner} using (true) with check (true);

grant select, insert, update, delete on erasure to {worker};

-- Erases rows of an organization in one of its tables, at most so many, and returns how many: by the table's index, or in
-- a range of its blocks. The worker has no right to delete in most tables. This has, for an organization that there is no
-- way back for; so a table that is added needs no grant for it. Of a table that refers to itself, what nothing refers to
-- goes first.
-- +goose StatementBegin
create function erase_rows(organization uuid, victim regclass, first_block bigint, last_block bigint, at_most integer) returns bigint
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
    alone  text;
    place  text := '';
    erased bigint;
begin
    perform from public.erasure where id = organization and phase in ('erasing', 'erased') for share;
    if not found then
        raise exception 'organization % is not to be erased', organization using errcode = 'insufficient_privilege';
    end if;
    select coalesce(string_agg(format(' and not exists (select from only %s child where child.ctid <> victim.ctid and %s)', victim, condition), ''), '')
        into alone from (
            select string_agg(format('child.%I = victim.%I', mine.attname, theirs.attname), ' and ') as condition
            from pg_catalog.pg_constraint, unnest(conkey, confkey) as pair (own, target)
                join pg_catalog.pg_attribute mine on mine.attrelid = victim and mine.attnum = own
                join pg_catalog.pg_attribute theirs on theirs.attrelid = victim and theirs.attnum = target
            where contype = 'f' and conrelid = victim and confrelid = victim
            group by pg_constraint.oid) as reference;
    if first_block is not null then
        place := format(' and victim.ctid >= %L::pg_catalog.tid and victim.ctid < %L::pg_catalog.tid',
            format('(%s,0)', first_block), format('(%s,0)', last_block));
    end if;
    execute format('delete from only %s where ctid = any (array(
        select victim.ctid from only %s victim where victim.organization_id = $1%s%s limit $2))', victim, victim, place, alone)
        using organization, at_most;
    get diagnostics erased = row_count;
    return erased;
end
$$;
-- +goose StatementEnd
revoke all on function erase_rows from public;
grant execute on function erase_rows to {worker};
