package domain

import "github.com/braidhq/braid/platform/id"

// Assignment says who has a task now and who had it before; the zero id is nobody.
type Assignment struct {
	AssigneeID         id.ID
	PreviousAssigneeID id.ID
}

// Role is what an assignment is to somebody who is told of it.
type Role int

// The roles. An onlooker takes part in the task without having or having had it.
const (
	Onlooker Role = iota
	Assignee
	FormerAssignee
)

// RoleOf returns a person's role.
func (a Assignment) RoleOf(userID id.ID) Role {
	switch userID {
	case a.AssigneeID:
		return Assignee
	case a.PreviousAssigneeID:
		return FormerAssignee
	default:
		return Onlooker
	}
}
