-- +goose Up
-- Identity's events of one service account may come in any order. An older one undoes nothing, and one that is gone stays
-- gone: its row is kept without a name, so that a late creation can't bring it back.
alter table service_account
    add column revision bigint  not null default 0,
    add column removed  boolean not null default false;

grant update (revision, removed) on service_account to "{worker}";
