-- +goose Up
-- Which access token or key a machine acted with; null for a session, and for what was recorded before machines could act.
alter table audit_record add column credential_id uuid;
