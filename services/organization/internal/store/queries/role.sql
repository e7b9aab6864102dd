-- name: InsertRole :exec
insert into role (organization_id, id, display_name, description, allowed, denied, parents, version, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: GetRole :one
select * from role where organization_id = $1 and id = $2;

-- name: UpdateRole :exec
update role set display_name = $3, description = $4, allowed = $5, denied = $6, parents = $7, version = $8, updated_at = $9
where organization_id = $1 and id = $2;

-- name: DeleteRole :exec
delete from role where organization_id = $1 and id = $2;

-- name: InsertRoleVersion :exec
insert into role_version (organization_id, role_id, version, content, author_id, created_at) values ($1, $2, $3, $4, $5, $6);

-- name: GetRoleVersion :one
select * from role_version where organization_id = $1 and role_id = $2 and version = $3;

-- Where a role is in use but for its children, which its organization's roles tell.
-- name: GetRoleUse :one
select
    (select count(*) from member where member.organization_id = sqlc.arg(organization_id) and member.role_ids @> array[sqlc.arg(role_id)::text]) as members,
    array(select assignment.id from assignment where assignment.organization_id = sqlc.arg(organization_id)
        and assignment.role_id = sqlc.arg(role_id)::text limit 10)::uuid[] as assignment_ids,
    array(select invitation.id from invitation where invitation.organization_id = sqlc.arg(organization_id)
        and invitation.role_id = sqlc.arg(role_id)::text and invitation.state = 'pending'
        and invitation.expires_at > sqlc.arg(now)::timestamptz limit 10)::uuid[] as invitation_ids,
    array(select invitation_link.id from invitation_link where invitation_link.organization_id = sqlc.arg(organization_id)
        and invitation_link.role_id = sqlc.arg(role_id)::text and invitation_link.revoked_at is null
        and invitation_link.uses < invitation_link.max_uses
        and invitation_link.expires_at > sqlc.arg(now)::timestamptz limit 10)::uuid[] as invitation_link_ids,
    array(select mail_domain.id from mail_domain where mail_domain.organization_id = sqlc.arg(organization_id)
        and mail_domain.auto_join_role_id = sqlc.arg(role_id)::text limit 10)::uuid[] as domain_ids;
