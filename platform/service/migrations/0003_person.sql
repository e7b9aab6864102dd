-- +goose Up
-- People are erased in the same manner as organizations: id is the person's then.
alter table erasure
    add column kind text not null default 'organization' check (kind in ('organization', 'person')),
    -- What the person's pseudonyms are made of while they are put in place. It is dropped when the erasure is over, so that
    -- nobody can make them again.
    add column seed bytea;

-- Who stands in a person's place in what an organization keeps (or, without one, in what no organization does): one and the
-- same throughout the organization, another in each.
create function pseudonym(seed bytea, organization uuid) returns uuid
language sql immutable set search_path = '' as $$
    select encode(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128), 8, get_byte(hash, 8) & 63 | 128), 'hex')::uuid
    from (select substring(sha256(seed || coalesce(uuid_send(organization), '')) for 16) as hash) as made
$$;
revoke all on function pseudonym from public;

-- Makes rows name a person no more, in one column of a table, at most so many, and returns how many: it removes them,
-- replaces the person by a pseudonym, or clears the column. It has the owner's rights for the same reason as erase_rows has,
-- for a person that there is no way back for.
-- +goose StatementBegin
create function release_rows(person uuid, victim regclass, field name, treatment text, first_block bigint, last_block bigint, at_most integer)
    returns bigint
language plpgsql security definer set search_path = '' set enable_seqscan = off as $$
declare
    sought   text;
    put      text;
    place    text := '';
    kind     regtype;
    tenant   text := 'null';
    known    bytea;
    released bigint;
begin
    select seed into known from public.erasure where id = person and erasure.kind = 'person' and phase in ('erasing', 'erased') for share;
    if known is null then
        raise exception 'person % is not to be erased', person using errcode = 'insufficient_privilege';
    end if;
    select atttypid::regtype into strict kind from pg_catalog.pg_attribute where attrelid = victim and attname = field and not attisdropped;
    perform from pg_catalog.pg_attribute where attrelid = victim and attname = 'organization_id' and not attisdropped;
    if found then
        tenant := 'victim.organization_id';
    end if;
    sought := case kind when 'uuid[]'::regtype then format('$1 = any (victim.%I)', field)
        when 'text'::regtype then format('victim.%I = $1::text', field) else format('victim.%I = $1', field) end;
    put := format('public.pseudonym($3, %s)', tenant);
    put := case
        when treatment = 'replace' and kind = 'uuid[]'::regtype then format('array_replace(victim.%I, $1, %s)', field, put)
        when treatment = 'replace' and kind = 'text'::regtype then put || '::text'
        when treatment = 'replace' then put
        when kind = 'uuid[]'::regtype then format('array_remove(victim.%I, $1)', field)
        else 'null' end;
    if first_block is not null then
        place := format(' and victim.ctid >= %L::pg_catalog.tid and victim.ctid < %L::pg_catalog.tid',
            format('(%s,0)', first_block), format('(%s,0)', last_block));
    end if;
    execute format(case treatment when 'remove' then 'delete from only %1$s victim' else 'update only %1$s victim set %2$I = %3$s' end
        || ' where ctid = any (array(select victim.ctid from only %1$s victim where %4$s%5$s limit $2 for update))',
        victim, field, put, sought, place) using person, at_most, known;
    get diagnostics released = row_count;
    return released;
end
$$;
-- +goose StatementEnd
revoke all on function release_rows from public;
grant execute on function release_rows to {worker};
