-- +goose Up
-- A consumer adds those who signed in by the organization's own provider; it sees, changes and removes nobody.
create policy member_worker_add on member for insert to "{worker}" with check (true);
grant insert on member to "{worker}";
