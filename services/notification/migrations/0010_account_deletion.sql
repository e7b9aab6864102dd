-- +goose Up
-- The mails about an account that are still to be sent: one who is erased is mailed that before.
create index delivery_account_pending on delivery (account_matter_id) where state = 'pending' and account_matter_id is not null;
