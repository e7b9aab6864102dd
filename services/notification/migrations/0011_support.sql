-- +goose Up
-- Mails about support grants: what they are about, as with the others, and nothing that they say.
alter table delivery add column support_grant_id uuid;
alter table delivery drop constraint delivery_about;
alter table delivery add constraint delivery_about
    check (num_nonnulls(registration_id, invitation_id, task_id, account_matter_id, device_id, transfer_id, domain_id, support_grant_id) = 1);
