-- +goose Up
-- Mails about a person's account: what of identity's they are about. The person themself when nothing else is.
alter table delivery add column account_matter_id uuid;
alter table delivery drop constraint delivery_check;
alter table delivery add constraint delivery_about
    check (num_nonnulls(registration_id, invitation_id, task_id, account_matter_id) = 1);
