-- +goose Up
-- Mails about an offered ownership and a lost domain: what they are about, as with the others, and nothing that they say.
alter table delivery
    add column transfer_id uuid,
    add column domain_id   uuid;
alter table delivery drop constraint delivery_check;
alter table delivery add constraint delivery_check check (num_nonnulls(registration_id, invitation_id, task_id, transfer_id, domain_id) = 1);
