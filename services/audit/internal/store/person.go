package store

import "github.com/braidhq/braid/platform/person"

const (
	permanent = "the trail is permanent, and has no more than ids"

	recordItem = `json_build_object('id', record.id, 'organizationId', record.organization_id, 'action', action, 'resourceType', resource_type,
    'resourceId', resource_id, 'source', source, 'occurTime', record.occurred_at)`
)

// People is what audit has to say of people. Bodies are left out: they say what others' events were about.
var People = person.Own{
	Columns: []person.Column{
		{Name: "audit_record.actor_id", Section: "actions", Forget: person.Keep, Because: permanent},
		{Name: "audit_record.impersonator_id", Withheld: "what operators did in somebody's name, which is that organization's to see", Forget: person.Keep, Because: permanent},
		{Name: "audit_record.person_id", Section: "account-history", Forget: person.Keep, Because: permanent},
		{Name: "audit_record.resource_id", Withheld: "what others did; the person's own history is a section", Forget: person.Keep, Because: permanent},
		{Name: "audit_entry.actor_id", Withheld: "the record says it as well", Forget: person.Keep, Because: permanent},
		{Name: "audit_entry.person_id", Withheld: "the record says it as well", Forget: person.Keep, Because: permanent},
		{Name: "audit_entry.resource_id", Withheld: "the record says it as well", Forget: person.Keep, Because: permanent},
		{Name: "audit_body.person_id", Withheld: "what the events said, of others too; the records are sections", Forget: person.Remove},
		{Name: "membership_change.user_id", Withheld: "what was heard of memberships; the organization's own are a section", Forget: person.Remove},
	},
	Sections: []person.Section{
		{
			// The organizations are those that the person was ever in: by them the index finds who did what.
			Name: "actions", Title: "What you did in organizations",
			From: `(select distinct organization_id from membership_change where user_id = $1) known
    join audit_record record on record.organization_id = known.organization_id and record.actor_id = $1`,
			Where: "true", Key: []person.Key{person.UUID("record.organization_id"), person.Time("record.occurred_at"), person.UUID("record.id")}, Item: recordItem,
		},
		{
			Name: "account-history", Title: "What happened to your account", From: "audit_record record", Where: "person_id = $1",
			Key: []person.Key{person.Time("record.occurred_at"), person.UUID("record.id")}, Item: recordItem,
		},
	},
}
