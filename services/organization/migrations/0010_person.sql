-- +goose Up
-- What people have here, for those who want to have it, and to have it gone: the worker sees who is in what and who made
-- what, and no address but the person's own.
create index assignment_person on assignment (subject_id);
create index assignment_creator on assignment (creator_id);
create index invitation_inviter on invitation (inviter_id);
create index invitation_link_creator on invitation_link (creator_id);
create index role_version_author on role_version (author_id);
create index team_member_person on team_member (user_id);
create policy member_worker_read on member for select to "{worker}" using (true);
create policy team_worker_read on team for select to "{worker}" using (true);
create policy team_member_worker_read on team_member for select to "{worker}" using (true);
create policy invitation_worker_read on invitation for select to "{worker}" using (true);
create policy invitation_link_worker_read on invitation_link for select to "{worker}" using (true);
create policy role_version_worker_read on role_version for select to "{worker}" using (true);
create policy ownership_transfer_worker_read on ownership_transfer for select to "{worker}" using (true);
grant select (organization_id, user_id, role_ids, joined_at, suspended_at) on member to "{worker}";
grant select (organization_id, id, display_name) on team to "{worker}";
grant select (organization_id, team_id, user_id, role, joined_at) on team_member to "{worker}";
grant select (display_name) on organization to "{worker}";
grant select (organization_id, id, role_id, state, inviter_id, created_at, updated_at, expires_at) on invitation to "{worker}";
grant select (organization_id, id, role_id, creator_id, email_domain, max_uses, uses, created_at, expires_at, revoked_at)
    on invitation_link to "{worker}";
grant select (organization_id, role_id, version, author_id, created_at) on role_version to "{worker}";
grant select (organization_id, id, owner_id, user_id, created_at, expires_at) on ownership_transfer to "{worker}";
