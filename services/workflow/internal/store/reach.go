package store

import (
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
)

// The columns that hold what access asks of a resource. Lists are cut to what their reader may see by the statement, so
// that a page is full and the next one begins where it ends.
var (
	projectColumns = map[access.Attribute]string{
		access.ResourceID: "id", access.ResourceProject: "id", access.ResourceOwner: "owner_id",
	}
	taskColumns = map[access.Attribute]string{
		access.ResourceID: "id", access.ResourceProject: "project_id", access.ResourceOwner: "reporter_id",
	}
)

// restrict adds to a statement that ends inside its WHERE clause what its reader may see; nil is everything.
func restrict(base string, visible *access.Reach, columns map[access.Attribute]string, arguments ...any) (string, []any) {
	if visible == nil {
		return base, arguments
	}
	sql, arguments := visible.SQL(func(attribute access.Attribute) access.Column {
		return access.Column{Expression: columns[attribute], Type: "uuid", Holds: isID}
	}, arguments)
	return base + " and (" + sql + ")", arguments
}

func isID(value string) bool {
	_, err := id.Parse(value)
	return err == nil
}
