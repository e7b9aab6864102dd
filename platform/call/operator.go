package call

// OperatorRole is what a person may do with the whole deployment, apart from every organization: the zero value is
// nothing. It is a number because every request copies it, and in order: each role holds what those before it hold.
type OperatorRole uint8

// The roles of operators.
const (
	// OperatorSupport looks after customers.
	OperatorSupport OperatorRole = iota + 1
	// OperatorSystem is automation: it holds what support holds and is named apart.
	OperatorSystem
	// OperatorAdmin runs the deployment.
	OperatorAdmin
)

var operatorRoles = [...]string{OperatorSupport: "support", OperatorSystem: "system", OperatorAdmin: "admin"}

// OperatorRoleOf reads a role's name. What it does not know is no role.
func OperatorRoleOf(name string) OperatorRole {
	for role, known := range operatorRoles {
		if role > 0 && known == name {
			return OperatorRole(role)
		}
	}
	return 0
}

// String is the role's name; empty for none.
func (r OperatorRole) String() string {
	if int(r) >= len(operatorRoles) {
		return ""
	}
	return operatorRoles[r]
}

// Covers reports whether the role holds what the least holds. No role covers nothing, and nothing is covered by asking for
// none.
func (r OperatorRole) Covers(least OperatorRole) bool {
	return least > 0 && r >= least && int(r) < len(operatorRoles)
}
