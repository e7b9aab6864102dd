-- +goose Up
-- Operators of the deployment find organizations by their row here, and see nothing else of them. The transaction names the
-- operator in app.operator, after the chain has let them in.
create policy organization_operator on organization for select to "{app}"
    using (nullif(current_setting('app.operator', true), '') is not null);
create index organization_created on organization (created_at, id);

-- How much there is in an organization, for an operator who may not see what.
create function count_organization(wanted uuid)
    returns table (members bigint, teams bigint)
    language sql stable security definer set search_path = public, pg_temp
as $$
    select (select count(*) from member m where m.organization_id = wanted), (select count(*) from team t where t.organization_id = wanted)
    where nullif(current_setting('app.operator', true), '') is not null
$$;
revoke all on function count_organization(uuid) from public;
grant execute on function count_organization(uuid) to "{app}";
