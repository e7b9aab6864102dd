package store

import "github.com/braidhq/braid/platform/person"

// ofOthers is why rows about what somebody did are not theirs.
const ofOthers = "what others were told; what the person did is in the audit's section"

// People is what notification has to say of people.
var People = person.Own{
	Columns: []person.Column{
		{Name: "notification.user_id", Section: "notifications", Forget: person.Remove},
		{Name: "notification.actor_id", Withheld: ofOthers, Forget: person.Replace},
		{Name: "preference.user_id", Section: "notification-preferences", Forget: person.Remove},
		{Name: "delivery.user_id", Section: "mails", Forget: person.Remove},
		{Name: "delivery.actor_id", Withheld: ofOthers, Forget: person.Replace},
		{Name: "delivery.assignee_id", Withheld: ofOthers, Forget: person.Replace},
		{Name: "delivery.previous_assignee_id", Withheld: ofOthers, Forget: person.Replace},
		{Name: "delivery.account_matter_id", Section: "mails", Forget: person.Remove},
	},
	Sections: []person.Section{
		{
			Name: "notifications", Title: "What you were told", Own: true, From: "notification", Where: "user_id = $1",
			Key: []person.Key{person.Time("created_at"), person.UUID("id")},
			Item: `json_build_object('id', id, 'organizationId', organization_id, 'kind', kind, 'title', title, 'taskKey', task_key,
    'createTime', created_at, 'readTime', read_at)`,
		},
		{
			Name: "notification-preferences", Title: "What you want to be told", Own: true, From: "preference", Where: "user_id = $1",
			Key:  []person.Key{person.Text("kind"), person.Text("channel")},
			Item: `json_build_object('kind', kind, 'channel', channel, 'enabled', enabled, 'updateTime', updated_at)`,
		},
		{
			Name: "mails", Title: "Mails to you", From: "delivery", Where: "user_id = $1 or account_matter_id = $1", Key: []person.Key{person.UUID("id")},
			Item: `json_build_object('id', id, 'organizationId', organization_id, 'kind', kind, 'taskKey', nullif(task_key, ''),
    'taskTitle', nullif(task_title, ''), 'state', state, 'createTime', created_at, 'finishTime', finished_at)`,
		},
	},
}
