package call

import "github.com/braidhq/braid/platform/id"

// Impersonation is an operator who acts in somebody's name: never for more than the person may, nor for more than a support
// grant of the organization allows. It is made once for a token and must not be changed.
type Impersonation struct {
	ID id.ID
	// OrganizationID is the only one that it is good in.
	OrganizationID id.ID
	// OperatorRole is the role of the operator, who is the actor's ImpersonatorID.
	OperatorRole OperatorRole
	// Writes says that the grant allows more than to read.
	Writes bool
}
