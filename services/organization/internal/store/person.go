package store

import "github.com/braidhq/braid/platform/person"

// People is what organization has to say of people. Whom somebody invited, or gave a role to, is left out: they are others.
var People = person.Own{
	Columns: []person.Column{
		{Name: "profile.user_id", Section: "profile", Forget: person.Remove},
		{Name: "member.user_id", Section: "memberships", Forget: person.Remove},
		{Name: "removed_member.user_id", Withheld: "that they were taken out, which the organization's audit log says", Forget: person.Remove},
		{Name: "team_member.user_id", Section: "teams", Forget: person.Remove},
		{Name: "assignment.subject_id", Section: "assignments", Forget: person.Remove},
		{Name: "assignment.creator_id", Section: "assignments-made", Forget: person.Replace},
		{Name: "invitation.inviter_id", Section: "invitations-made", Forget: person.Replace},
		{Name: "invitation_link.creator_id", Section: "invitation-links-made", Forget: person.Replace},
		{Name: "role_version.author_id", Section: "roles-written", Forget: person.Replace},
		{Name: "ownership_transfer.owner_id", Section: "ownership-transfers", Forget: person.Remove},
		{Name: "ownership_transfer.user_id", Section: "ownership-transfers", Forget: person.Remove},
		{Name: "support_grant.creator_id", Section: "support-grants-made", Forget: person.Replace},
		{Name: "support_grant.operator_id", Withheld: "of a broken glass, who made it as well", Forget: person.Replace},
		{Name: "support_grant.revoker_id", Withheld: "who ended a grant; what the person did is in the audit's section", Forget: person.Replace},
		{Name: "support_grant.last_operator_id", Withheld: "which operator came last; the organization's audit has each request", Forget: person.Replace},
		{Name: "deletion.requester_id", Section: "deletions-asked-for", Forget: person.Replace},
		{Name: "deletion.reader_ids", Withheld: "who owned an organization when it was deleted; the audit has what they did", Forget: person.Clear},
	},
	Sections: append([]person.Section{
		{
			Name: "profile", Title: "What organizations know you by", From: "profile", Where: "user_id = $1", Key: []person.Key{person.UUID("user_id")},
			Item: `json_build_object('displayName', display_name, 'email', email)`,
		},
		{
			Name: "memberships", Title: "Organizations you are in", From: "member join organization on organization.id = organization_id",
			Where: "user_id = $1", Key: []person.Key{person.UUID("organization_id")},
			Item: `json_build_object('organizationId', organization_id, 'organizationName', display_name, 'roleIds', role_ids,
    'joinTime', joined_at, 'suspendTime', suspended_at)`,
		},
		{
			Name: "teams", Title: "Teams you are in",
			From:  "team_member join team on team.organization_id = team_member.organization_id and team.id = team_id",
			Where: "user_id = $1", Key: []person.Key{person.UUID("team_member.organization_id"), person.UUID("team_id")},
			Item: `json_build_object('organizationId', team_member.organization_id, 'teamId', team_id, 'teamName', display_name,
    'role', role, 'joinTime', joined_at)`,
		},
		{
			Name: "assignments", Title: "Roles given to you", From: "assignment", Where: "subject_type = 'user' and subject_id = $1",
			Key: organizationAndID, Item: assignmentItem,
		},
	}, madeSections...),
}

var organizationAndID = []person.Key{person.UUID("organization_id"), person.UUID("id")}

const assignmentItem = `json_build_object('organizationId', organization_id, 'id', id, 'roleId', role_id, 'scope', scope_type,
    'scopeId', scope_id, 'resourceType', resource_type, 'startTime', starts_at, 'expireTime', expires_at, 'createTime', created_at)`

// madeSections are what the person made for others, without the others.
var madeSections = []person.Section{
	{
		Name: "assignments-made", Title: "Roles you gave to others", From: "assignment", Where: "creator_id = $1",
		Key: organizationAndID, Item: assignmentItem,
	},
	{
		Name: "invitations-made", Title: "Invitations you sent", From: "invitation", Where: "inviter_id = $1", Key: organizationAndID,
		Item: `json_build_object('organizationId', organization_id, 'id', id, 'roleId', role_id, 'state', state, 'createTime', created_at,
    'updateTime', updated_at, 'expireTime', expires_at)`,
	},
	{
		Name: "invitation-links-made", Title: "Invitation links you made", From: "invitation_link", Where: "creator_id = $1", Key: organizationAndID,
		Item: `json_build_object('organizationId', organization_id, 'id', id, 'roleId', role_id, 'emailDomain', email_domain,
    'maxUses', max_uses, 'uses', uses, 'createTime', created_at, 'expireTime', expires_at, 'revokeTime', revoked_at)`,
	},
	{
		Name: "roles-written", Title: "Roles you wrote", From: "role_version", Where: "author_id = $1",
		Key:  []person.Key{person.UUID("organization_id"), person.UUID("role_id"), person.Integer("version")},
		Item: `json_build_object('organizationId', organization_id, 'roleId', role_id, 'version', version, 'createTime', created_at)`,
	},
	{
		Name: "ownership-transfers", Title: "Ownership you offered or were offered", From: "ownership_transfer",
		Where: "owner_id = $1 or user_id = $1", Key: organizationAndID,
		Item: `json_build_object('organizationId', organization_id, 'id', id, 'offeredByYou', owner_id = $1, 'createTime', created_at,
    'expireTime', expires_at)`,
	},
	{
		Name: "support-grants-made", Title: "Support grants you made", From: "support_grant", Where: "creator_id = $1", Key: organizationAndID,
		Item: `json_build_object('organizationId', organization_id, 'id', id, 'kind', kind, 'access', access, 'reason', reason,
    'createTime', created_at, 'expireTime', expires_at, 'revokeTime', revoked_at)`,
	},
	{
		Name: "deletions-asked-for", Title: "Organizations you asked to delete", From: "deletion", Where: "requester_id = $1",
		Key:  []person.Key{person.UUID("id")},
		Item: `json_build_object('organizationId', id, 'state', state, 'requestTime', requested_at, 'endTime', ended_at)`,
	},
}
