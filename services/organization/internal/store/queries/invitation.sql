-- name: IsInvitedMember :one
select exists (select from member join profile on profile.user_id = member.user_id
    where member.organization_id = $1 and profile.email_key = $2) as is_member;

-- name: InsertInvitation :one
insert into invitation (organization_id, id, email, email_key, role_id, state, inviter_id, created_at, updated_at, expires_at, sending)
values ($1, $2, $3, $4, $5, 'pending', $6, $7, $7, $8, 1)
on conflict (organization_id, email_key) where state = 'pending' do nothing
returning true;

-- name: GetInvitationForUpdate :one
select * from invitation where organization_id = $1 and id = $2 for no key update;

-- name: FindInvitationByToken :one
select organization_id, invitation_id from invitation_token where hash = $1;

-- name: GetInvitationMail :one
select sqlc.embed(invitation), organization.display_name as organization_display_name,
    coalesce((select profile.display_name from profile where profile.user_id = invitation.inviter_id), '')::text as inviter_display_name
from invitation join organization on organization.id = invitation.organization_id
where invitation.organization_id = $1 and invitation.id = $2;

-- name: ExpireInvitation :exec
update invitation set state = 'expired' where organization_id = $1 and email_key = $2 and state = 'pending' and expires_at <= $3;

-- name: UpdateInvitation :exec
update invitation set state = $3, updated_at = $4, expires_at = $5, sending = $6, inviter_id = $7 where organization_id = $1 and id = $2;

-- name: InsertInvitationToken :exec
insert into invitation_token (hash, organization_id, invitation_id) values ($1, $2, $3);

-- name: UpdateInvitationToken :exec
update invitation_token set hash = $3 where organization_id = $1 and invitation_id = $2;
