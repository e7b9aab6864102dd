-- +goose Up
-- Whether somebody is being let go, or will be when every service has said that it can. From that moment on they are an
-- owner whom nobody may count on: the other owner can't leave.
create function is_leaving(person uuid) returns boolean
    language sql stable security definer set search_path = public, pg_temp
as $$
    select exists (select from erasure e where e.id = person and e.kind = 'person' and e.phase <> 'refused')
$$;

-- The organizations in one of the states that have no other owner to count on; the first hundred.
create function list_sole_ownerships(person uuid, states text[]) returns setof uuid
    language sql stable security definer set search_path = public, pg_temp
as $$
    select own.organization_id from member own join organization o on o.id = own.organization_id
    where own.user_id = person and 'owner' = any (own.role_ids) and o.state = any (states)
        and not exists (
            select from member other where other.organization_id = own.organization_id and 'owner' = any (other.role_ids)
                and other.user_id <> person and other.suspended_at is null and not is_leaving(other.user_id))
    order by own.organization_id limit 100
$$;

create function list_memberships(person uuid) returns setof uuid
    language sql stable security definer set search_path = public, pg_temp
as $$
    select m.organization_id from member m where m.user_id = person order by m.organization_id
$$;

-- Takes who is erased out of an organization.
create function erase_member(organization uuid, person uuid) returns void
    language sql volatile security definer set search_path = public, pg_temp
as $$
    delete from member m where m.organization_id = organization and m.user_id = person
        and exists (select from erasure e where e.id = person and e.kind = 'person' and e.phase in ('erasing', 'erased'))
$$;

-- Removes invitations to the address of who is erased, however they ended, and returns how many. It needs the profile, which
-- goes afterwards.
create function erase_invitations(person uuid, at_most integer) returns bigint
    language sql volatile security definer set search_path = public, pg_temp
as $$
    with doomed as (
        select i.organization_id, i.id from profile p join invitation i on i.email_key = p.email_key
        where p.user_id = person
            and exists (select from erasure e where e.id = person and e.kind = 'person' and e.phase in ('erasing', 'erased'))
        limit at_most
    ), token as (
        delete from invitation_token t where (t.organization_id, t.invitation_id) in (select d.organization_id, d.id from doomed d)
    ), gone as (
        delete from invitation i where (i.organization_id, i.id) in (select d.organization_id, d.id from doomed d)
        returning 1
    )
    select count(*) from gone
$$;
create index invitation_email on invitation (email_key);

revoke all on function is_leaving(uuid) from public;
revoke all on function list_sole_ownerships(uuid, text[]) from public;
revoke all on function list_memberships(uuid) from public;
revoke all on function erase_member(uuid, uuid) from public;
revoke all on function erase_invitations(uuid, integer) from public;
grant execute on function is_leaving(uuid) to "{app}";
grant execute on function list_sole_ownerships(uuid, text[]) to "{worker}";
grant execute on function list_memberships(uuid) to "{worker}";
grant execute on function erase_member(uuid, uuid) to "{worker}";
grant execute on function erase_invitations(uuid, integer) to "{worker}";
