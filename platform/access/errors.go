package access

import "github.com/braidhq/braid/platform/errs"

// The refusals of this package, by reason; what is returned adds the details as metadata.
var (
	// ErrRoleCycle names the way around in "cycle".
	ErrRoleCycle = errs.New(errs.InvalidArgument, "ROLE_CYCLE", "A role can't inherit from itself.")
	// ErrRoleTooDeep names the role and the way up from it in "path".
	ErrRoleTooDeep = errs.New(errs.InvalidArgument, "ROLE_TOO_DEEP", "Roles inherit in at most ten steps.")
	// ErrRoleTooComplex: conditions over resources that join and part again make a list's filter grow with every way.
	ErrRoleTooComplex = errs.New(errs.InvalidArgument, "ROLE_TOO_COMPLEX", "The role inherits in too many ways by conditions over resources.")
	// ErrRoleUnknown names the missing role in "role".
	ErrRoleUnknown = errs.New(errs.InvalidArgument, "ROLE_UNKNOWN", "There is no such role.")
	// ErrConditionInvalid says where, in "line", "column" and "position", all from 1 and in characters.
	ErrConditionInvalid = errs.New(errs.InvalidArgument, "CONDITION_INVALID", "The condition is not valid.")
	// ErrGrantExceedsOwn names the first permission that the grantor lacks in "permission".
	ErrGrantExceedsOwn = errs.New(errs.PermissionDenied, "GRANT_EXCEEDS_OWN", "You can't grant what you don't hold.")
)

// Errors lists every refusal above, for the test that holds them against the contract.
func Errors() []*errs.Error {
	return []*errs.Error{ErrRoleCycle, ErrRoleTooDeep, ErrRoleTooComplex, ErrRoleUnknown, ErrConditionInvalid, ErrGrantExceedsOwn}
}
