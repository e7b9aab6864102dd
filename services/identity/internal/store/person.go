package store

import "github.com/braidhq/braid/platform/person"

// People is what identity has to say of people.
var People = person.Own{
	Columns: []person.Column{
		{Name: "account.id", Section: "account", Forget: person.Remove},
		{Name: "credential.account_id", Withheld: "the password, by its hash; the address is in the account", Forget: person.Remove},
		{Name: "avatar.account_id", Section: "avatar", Forget: person.Remove},
		{Name: "session.account_id", Section: "sessions", Forget: person.Remove},
		{Name: "refresh_token.account_id", Withheld: "secrets of sessions, by their hash; the sessions are a section", Forget: person.Remove},
		{Name: "seen_device.account_id", Section: "devices", Forget: person.Remove},
		{Name: "device.account_id", Withheld: "secrets of browsers, by their hash; the devices are a section", Forget: person.Remove},
		{Name: "factor.account_id", Section: "factors", Forget: person.Remove},
		{Name: "backup_code.account_id", Withheld: "secrets, by their hash", Forget: person.Remove},
		{Name: "proof_budget.account_id", Withheld: "a count of wrong codes, for minutes", Forget: person.Remove},
		{Name: "challenge.account_id", Withheld: "a login that is under way, for minutes", Forget: person.Remove},
		{Name: "password_reset.account_id", Withheld: "a mail's secret, by its hash, for half an hour", Forget: person.Remove},
		{Name: "email_change.account_id", Section: "email-changes", Forget: person.Remove},
		{Name: "machine_credential.account_id", Section: "access-tokens", Forget: person.Remove},
		{Name: "external_identity.account_id", Section: "identities", Forget: person.Remove},
		{Name: "deletion.id", Withheld: "that the person asked to be deleted, which the history says", Forget: person.Keep, Because: "how the deletion ended"},
		{Name: "deletion_step.deletion_id", Withheld: "how far services are with that", Forget: person.Keep, Because: "how the deletion ended"},
		{Name: "data_export.account_id", Section: "data-exports", Forget: person.Remove},
		{Name: "data_export_chunk.account_id", Withheld: "the archives themselves", Forget: person.Remove},
		{Name: "impersonation.account_id", Section: "impersonations", Forget: person.Remove},
		{Name: "impersonation.operator_id", Section: "impersonations", Forget: person.Remove},
		{Name: "operator.account_id", Withheld: "a role in running the deployment, which its admins manage", Forget: person.Remove},
		{Name: "operator.creator_id", Withheld: "who made an operator, which is the deployment's", Forget: person.Clear},
		{Name: "machine_credential.creator_id", Withheld: "who made a key, which is its organization's", Forget: person.Replace},
		{Name: "service_account.creator_id", Section: "service-accounts", Forget: person.Replace},
	},
	Sections: append([]person.Section{
		{
			Name: "account", Title: "Your account", Own: true, From: "account",
			Where: "account.id = $1", Key: []person.Key{person.UUID("account.id")},
			Item: `json_build_object('id', account.id, 'email', email, 'displayName', display_name, 'title', title, 'locale', locale,
    'timeZone', time_zone, 'createTime', account.created_at, 'updateTime', account.updated_at)`,
		},
		{
			Name: "avatar", Title: "Your picture", From: "avatar", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
			Item: `json_build_object('id', id, 'createTime', created_at,
    'image', 'data:' || content_type || ';base64,' || translate(encode(image, 'base64'), E'\n', ''))`,
		},
		{
			Name: "email-changes", Title: "Changes of your address", From: "email_change", Where: "account_id = $1 and not taken",
			Key: []person.Key{person.UUID("id")},
			Item: `json_build_object('id', id, 'oldEmail', old_email, 'newEmail', email, 'waiting', live, 'createTime', created_at,
    'expireTime', expires_at)`,
		},
	}, securitySections...),
}

var securitySections = []person.Section{
	{
		Name: "sessions", Title: "Where you are signed in", Own: true, From: "session", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'device', device, 'client', client, 'userAgent', user_agent, 'address', client_address,
    'methods', methods, 'createTime', created_at, 'lastUseTime', last_used_at, 'expireTime', least(expires_at, ends_at))`,
	},
	{
		Name: "devices", Title: "Devices you have used", Own: true, From: "seen_device", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'name', name, 'firstAddress', first_address, 'firstUseTime', first_seen_at, 'lastUseTime', last_seen_at)`,
	},
	{
		Name: "factors", Title: "Second factors", Own: true, From: "factor", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'kind', kind, 'name', name, 'createTime', created_at, 'confirmTime', confirmed_at,
    'lastUseTime', last_used_at)`,
	},
	{
		Name: "access-tokens", Title: "Personal access tokens", Own: true, From: "machine_credential", Where: "account_id = $1",
		Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'displayName', display_name, 'scopes', scopes, 'allowedNetworks', networks,
    'createTime', created_at, 'expireTime', expires_at, 'lastUseTime', last_used_at, 'lastUseAddress', last_used_address)`,
	},
	{
		Name: "identities", Title: "How others know you", Own: true, From: "external_identity", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'source', source, 'issuer', issuer, 'subject', subject, 'email', email,
    'createTime', created_at, 'lastUseTime', last_used_at)`,
	},
	{
		Name: "data-exports", Title: "When you asked for this", Own: true, From: "data_export", Where: "account_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'state', state, 'createTime', created_at, 'finishTime', finished_at)`,
	},
	{
		// Who the operator was, and whose name it was, is about others.
		Name: "impersonations", Title: "When support acted in your name, or you as an operator in another's", From: "impersonation",
		Where: "account_id = $1 or operator_id = $1", Key: []person.Key{person.UUID("id")},
		Item: `json_build_object('id', id, 'organizationId', organization_id, 'asOperator', operator_id = $1, 'writes', writes,
    'reason', case when operator_id = $1 then reason end, 'createTime', created_at, 'expireTime', expires_at, 'endTime', ended_at)`,
	},
	{
		Name: "service-accounts", Title: "Service accounts you made", From: "service_account", Where: "creator_id = $1",
		Key: []person.Key{person.UUID("organization_id"), person.UUID("id")},
		Item: `json_build_object('organizationId', organization_id, 'id', id, 'displayName', display_name, 'description', description,
    'createTime', created_at)`,
	},
}
