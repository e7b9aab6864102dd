-- +goose Up
-- Mails to a person, for who wants to have them, and to have them gone.
create index delivery_user on delivery (user_id, id) where user_id is not null;
create index delivery_matter on delivery (account_matter_id, id) where account_matter_id is not null;
