-- +goose Up
-- Who created the project, for roles that hold for what one owns. Nobody knows of those that are there.
alter table project add column owner_id uuid;
