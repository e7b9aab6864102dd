package domain

// OperatorRole is what a person may do with the whole deployment; empty for nothing.
type OperatorRole string

// The roles, in order: each may what those before it may.
const (
	Support OperatorRole = "support"
	System  OperatorRole = "system"
	Admin   OperatorRole = "admin"
)
