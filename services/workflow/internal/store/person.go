package store

import "github.com/braidhq/braid/platform/person"

// seen says whether the person may still read what others make of a task: who was removed gets what names them, and not
// what is the organization's.
const seen = `(select not removed from membership m where m.organization_id = task.organization_id and m.user_id = $1) is not false`

const taskItem = `json_build_object('organizationId', organization_id, 'projectId', project_id, 'id', id, 'key', project_key || '-' || number,
    'title', case when ` + seen + ` then title end, 'description', case when ` + seen + ` then description end,
    'status', status, 'labels', case when ` + seen + ` then labels end, 'dueTime', due_at, 'createTime', created_at, 'updateTime', updated_at)`

// People is what workflow has to say of people.
var People = person.Own{
	Columns: []person.Column{
		{Name: "project.owner_id", Section: "projects", Forget: person.Replace},
		{Name: "task.reporter_id", Section: "tasks-reported", Forget: person.Replace},
		{Name: "task.assignee_id", Section: "tasks-assigned", Forget: person.Clear},
		{Name: "task.commenter_ids", Withheld: "who wrote comments; the comments are a section", Forget: person.Replace},
		{Name: "comment.author_id", Section: "comments", Forget: person.Replace},
		{Name: "membership.user_id", Withheld: "what was heard of memberships, which organization has", Forget: person.Remove},
	},
	Sections: []person.Section{
		{
			Name: "projects", Title: "Projects you created", From: "project", Where: "owner_id = $1",
			Key:  []person.Key{person.UUID("organization_id"), person.UUID("id")},
			Item: `json_build_object('organizationId', organization_id, 'id', id, 'key', key, 'createTime', created_at)`,
		},
		{
			Name: "tasks-reported", Title: "Tasks you reported", From: "task", Where: "reporter_id = $1",
			Key: []person.Key{person.UUID("id"), person.UUID("organization_id")}, Item: taskItem,
		},
		{
			Name: "tasks-assigned", Title: "Tasks assigned to you", From: "task", Where: "assignee_id = $1",
			Key: []person.Key{person.UUID("id"), person.UUID("organization_id")}, Item: taskItem,
		},
		{
			Name: "comments", Title: "Comments you wrote", From: "comment", Where: "author_id = $1",
			Key: []person.Key{person.UUID("id"), person.UUID("organization_id")},
			Item: `json_build_object('organizationId', organization_id, 'taskId', task_id, 'id', id, 'body', body,
    'createTime', created_at, 'updateTime', updated_at)`,
		},
	},
}
