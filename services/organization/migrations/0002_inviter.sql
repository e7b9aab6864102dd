-- +goose Up
-- Whoever sends an invitation again answers for it from then on.
grant update (inviter_id) on invitation to "{app}";
