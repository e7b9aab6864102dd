-- +goose Up
-- Who may do what with River's tables. Requests add jobs and can neither read nor change them; everything else is the
-- worker's.
alter table river_job enable row level security;
alter table river_job force row level security;
create policy river_job_append on river_job for insert to {app} with check (true);
create policy river_job_worker on river_job for all to {worker} using (true) with check (true);
create policy river_job_owner on river_job for all to {owner} using (true) with check (true);

grant insert on river_job to {app};
grant usage on sequence river_job_id_seq to {app}, {worker};
grant select, insert, update, delete on river_job, river_leader, river_queue, river_notification to {worker};
grant usage on sequence river_notification_id_seq to {worker};

-- The processes that work jobs here and when they were last seen, so that the jobs of one that was killed are found
-- at once and not by a timeout.
create table job_client (
    id      text        primary key,
    seen_at timestamptz not null
);

alter table job_client enable row level security;
alter table job_client force row level security;
create policy job_client_worker on job_client for all to {worker} using (true) with check (true);
create policy job_client_owner on job_client for all to {owner} using (true) with check (true);

grant select, insert, update, delete on job_client to {worker};
