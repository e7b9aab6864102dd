package app

import (
	"context"
	"slices"
	"strings"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

var (
	errOwnersOnly = domain.ErrGrantExceedsOwn.WithMessage("Only an owner can deny something to an owner.")
	errFromBelow  = domain.ErrGrantExceedsOwn.WithMessage("You can't deny anything to somebody who holds more than you do.")
)

// mayDeny refuses to let the roles that deny something, as compiled has them, reach somebody who holds more than the
// actor: denials work downwards only, or whoever may give roles could disarm those who gave them theirs. It asks for the
// roles that people have in the whole organization; what they have in places is no rank. That the actor holds what is
// denied is asked elsewhere, by covers. Without subjects it is about those who have the roles already.
func (a *App) mayDeny(ctx context.Context, tx *pg.Tx, organizationID id.ID, actor *holder, compiled *access.Graph, roleIDs []string, subjectIDs ...id.ID) error {
	var denying, disarming []string
	for _, roleID := range roleIDs {
		switch {
		case disarms(compiled, roleID):
			disarming = append(disarming, roleID)
		case denies(compiled, roleID):
			denying = append(denying, roleID)
		}
	}
	for _, group := range [][]string{disarming, denying} {
		if len(group) == 0 {
			continue
		}
		reached := store.Reached{SubjectIDs: subjectIDs}
		if len(subjectIDs) == 0 {
			reached.RoleIDs = group
		}
		has, err := store.ListReachedRoles(ctx, tx, organizationID, actor.subjectID, reached, a.Clock.Now())
		if err != nil {
			return err
		}
		if err := a.outranks(actor, has, len(disarming) > 0 && group[0] == disarming[0]); err != nil {
			return err
		}
	}
	return nil
}

// outranks refuses a denial to those who have the roles, unless the actor could give all of these; to themselves people
// may deny what they like. What disarms reaches no owner.
func (a *App) outranks(actor *holder, has []store.ReachedRole, disarms bool) error {
	for _, one := range has {
		switch {
		case one.RoleID == domain.Owner && !actor.isOwner():
			return errOwnersOnly
		case one.RoleID == domain.Owner && disarms:
			return domain.ErrOwnerNotDeniable
		case one.Own:
			continue
		}
		whole := access.Assignment{RoleID: one.RoleID, Scope: access.Scope{Kind: access.Organization}}
		if err := actor.mayGive(&whole, a.Clock.Now()); err != nil {
			return errFromBelow.With("roleId", one.RoleID).WithCause(err)
		}
	}
	return nil
}

// mayOwn refuses an owner to be who is denied what nobody can deny to an owner.
func (a *App) mayOwn(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, roleIDs []string) error {
	if !slices.Contains(roleIDs, domain.Owner) {
		return nil
	}
	holders, err := a.readHolders(ctx, tx, organizationID, userID)
	if err != nil {
		return err
	}
	for _, held := range holders[0].answer.Assignments {
		roleIDs = append(slices.Clip(roleIDs), held.RoleID)
	}
	for _, roleID := range roleIDs {
		if disarms(holders[0].graph, roleID) {
			return domain.ErrOwnerNotDeniable.With("roleId", roleID)
		}
	}
	return nil
}

// denies reports whether a role denies anything, be it conditionally.
func denies(compiled *access.Graph, roleID string) bool { return len(denied(compiled, roleID)) > 0 }

// disarms reports whether a role denies anything that concerns the organization itself, by which what is wrong with it is
// put right.
func disarms(compiled *access.Graph, roleID string) bool {
	return slices.ContainsFunc(denied(compiled, roleID), func(permission string) bool { return strings.HasPrefix(permission, "organization.") })
}

// denied lists what a role denies, be it conditionally.
func denied(compiled *access.Graph, roleID string) []string {
	permissions, _ := compiled.Permissions(roleID)
	return append(permissions.Deny, permissions.DenyConditionally...)
}
