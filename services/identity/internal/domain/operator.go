package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// OperatorRole is what a person may do with the whole deployment; empty for nothing.
type OperatorRole string

// The roles, in order: each may what those before it may.
const (
	Support OperatorRole = "support"
	System  OperatorRole = "system"
	Admin   OperatorRole = "admin"
)

// OperatorRoles are all of them, in order.
var OperatorRoles = []OperatorRole{Support, System, Admin}

// Operator is a person who runs the deployment.
type Operator struct {
	UserID id.ID
	Email  string
	Role   OperatorRole
	// Secured says whether the person has a second factor.
	Secured bool
	// CreatorID is the operator who made them one; zero for the command line.
	CreatorID id.ID
	CreatedAt time.Time
	UpdatedAt time.Time
	// Revision grows with every change.
	Revision int64
}

// NewOperator returns an operator from now on.
func NewOperator(user User, role OperatorRole, creatorID id.ID, now time.Time) Operator {
	return Operator{UserID: user.ID, Email: user.Email, Role: role, CreatorID: creatorID, CreatedAt: now, UpdatedAt: now, Revision: 1}
}

// Etag names the present state.
func (o Operator) Etag() string { return strconv.FormatInt(o.Revision, 16) }

// Change gives the operator another role and reports whether it is another; the empty role asks for nothing. Admins is
// how many there are with this one.
func (o Operator) Change(role OperatorRole, etag string, admins int, now time.Time) (Operator, bool, error) {
	if err := errs.CheckETag(etag, o.Etag()); err != nil {
		return o, false, err
	}
	if role == "" || role == o.Role {
		return o, false, nil
	}
	if err := o.CheckEnd(admins); err != nil {
		return o, false, err
	}
	o.Role, o.UpdatedAt = role, now
	o.Revision++
	return o, true, nil
}

// CheckEnd refuses to end the role of the last admin: nobody could make another one but by the command line.
func (o Operator) CheckEnd(admins int) error {
	if o.Role == Admin && admins <= 1 {
		return ErrLastOperatorAdmin
	}
	return nil
}

// NameOperator is the name of an account that is made for an operator: what was asked for, else the address up to its @.
func NameOperator(wanted string, address Address) (string, error) {
	if strings.TrimSpace(wanted) == "" {
		local, _, _ := strings.Cut(address.Typed, "@")
		return ParseDisplayName(string([]rune(local)[:min(len([]rune(local)), maxDisplayName)]), "email")
	}
	return ParseDisplayName(wanted, "displayName")
}
