-- +goose Up
-- A consumer adds those who signed in by the organization's own provider; it changes and removes nobody.
create policy member_worker_add on member for insert to "{worker}" with check (true);
create policy member_worker_look on member for select to "{worker}" using (true);
grant select (organization_id, user_id), insert on member to "{worker}";
