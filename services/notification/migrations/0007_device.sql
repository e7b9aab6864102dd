-- +goose Up
-- A mail may be about a device that somebody signed in with.
alter table delivery add column device_id uuid;
alter table delivery drop constraint delivery_about;
alter table delivery add constraint delivery_about
    check (num_nonnulls(registration_id, invitation_id, task_id, account_matter_id, device_id) = 1);
alter table delivery add constraint delivery_device check (device_id is null or user_id is not null);
