-- +goose Up
-- The operator who acted in the actor's name; null when nobody did.
alter table audit_record add column impersonator_id uuid;
