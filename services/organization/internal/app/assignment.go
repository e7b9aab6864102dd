package app

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// ListAssignments returns a page of the assignments, and the token of the next one.
func (a *App) ListAssignments(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Assignment, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Assignments.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListAssignments(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// GetAssignment returns an assignment.
func (a *App) GetAssignment(ctx context.Context, organizationID, assignmentID id.ID) (domain.Assignment, error) {
	return store.GetAssignment(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, assignmentID)
}

// CreateAssignment gives a role, which whoever gives it must hold where, as long and under the conditions it is given.
func (a *App) CreateAssignment(ctx context.Context, tx *pg.Tx, given domain.Assignment) (domain.Assignment, error) {
	now := a.Clock.Now()
	if err := given.Check(now); err != nil {
		return domain.Assignment{}, err
	}
	if err := access.CheckCondition(given.Condition); err != nil {
		return domain.Assignment{}, conditionRefusal(err, "condition")
	}
	actor, err := a.lockAccessAsMember(ctx, tx, given.OrganizationID)
	if err != nil {
		return domain.Assignment{}, err
	}
	if err := a.checkRoles(&actor, "roleId", given.RoleID); err != nil {
		return domain.Assignment{}, err
	}
	if err := a.checkScope(&actor, given.Scope); err != nil {
		return domain.Assignment{}, err
	}
	if err := a.covers(&actor, given); err != nil {
		return domain.Assignment{}, err
	}
	return a.give(ctx, tx, &actor, given)
}

// DelegateAssignment gives on what the actor has, within its limits. Times that are left open are those of the source.
func (a *App) DelegateAssignment(ctx context.Context, tx *pg.Tx, sourceID id.ID, given domain.Assignment) (domain.Assignment, error) {
	if err := access.CheckCondition(given.Condition); err != nil {
		return domain.Assignment{}, conditionRefusal(err, "condition")
	}
	actor, err := a.lockAccessAsMember(ctx, tx, given.OrganizationID)
	if err != nil {
		return domain.Assignment{}, err
	}
	source, err := store.GetAssignment(ctx, tx, given.OrganizationID, sourceID)
	if err != nil {
		return domain.Assignment{}, err
	}
	now := a.Clock.Now()
	given = source.Lend(given)
	if err := given.Check(now); err != nil {
		return domain.Assignment{}, err
	}
	if err := a.checkScope(&actor, given.Scope); err != nil {
		return domain.Assignment{}, err
	}
	if err := source.CheckDelegation(given, actor.subjectID, now); err != nil {
		return domain.Assignment{}, err
	}
	if err := a.covers(&actor, given); err != nil {
		return domain.Assignment{}, err
	}
	return a.give(ctx, tx, &actor, given)
}

// checkScope refuses a type of resource that nothing asks a permission for, neither the contract nor the organization
// itself: such an assignment could never hold.
func (a *App) checkScope(actor *holder, scope domain.Scope) error {
	named := func(permission string) bool { return domain.ResourceTypeOf(permission) == scope.ResourceType }
	if scope.Type != domain.OnResource || slices.Contains(a.ResourceTypes, scope.ResourceType) || slices.ContainsFunc(actor.catalog.Permissions, named) {
		return nil
	}
	return domain.ErrResourceType.WithViolation(errs.Violation{
		Field: "scope.resourceType", Rule: "resource_type.unknown",
		Message: "is one of " + strings.Join(a.ResourceTypes, ", ") + ", or the middle part of one of the organization's own permissions",
	})
}

// give writes an assignment that the actor may give.
func (a *App) give(ctx context.Context, tx *pg.Tx, actor *holder, given domain.Assignment) (domain.Assignment, error) {
	room, err := store.ReadRoom(ctx, tx, given.OrganizationID, given.Subject)
	switch {
	case err != nil:
		return domain.Assignment{}, err
	case !room.SubjectKnown:
		return domain.Assignment{}, domain.ErrSubjectUnknown.WithViolation(errs.Violation{
			Field: "subject.id", Rule: "subject.unknown", Message: "names no such subject of the organization",
		})
	case room.SubjectFull:
		return domain.Assignment{}, domain.ErrAssignmentLimit.With("limit", strconv.Itoa(domain.MaxSubjectAssignments)).With("of", "subject")
	case room.OrganizationFull:
		return domain.Assignment{}, domain.ErrAssignmentLimit.With("limit", strconv.Itoa(domain.MaxOrganizationAssignments)).With("of", "organization")
	}
	if err := a.mayDeny(ctx, tx, given.OrganizationID, actor, actor.graph, []string{given.RoleID}, given.Subject.ID); err != nil {
		return domain.Assignment{}, err
	}
	given.ID, given.CreatorID, given.CreatedAt = id.New(), actor.subjectID, a.Clock.Now()
	if given.AccessRevision, err = a.raise(ctx, tx, given.OrganizationID, actor.catalog, false); err != nil {
		return domain.Assignment{}, err
	}
	if err := store.InsertAssignment(ctx, tx, given); err != nil {
		return domain.Assignment{}, err
	}
	a.dropAfterCommit(tx, given)
	return given, a.tellAssignmentCreated(ctx, tx, given)
}

// DeleteAssignment takes an assignment back, with those delegated from it, and returns the access revision that holds
// it. What one could not give one can't take.
func (a *App) DeleteAssignment(ctx context.Context, tx *pg.Tx, organizationID, assignmentID id.ID) (int64, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return 0, err
	}
	current, err := store.GetAssignment(ctx, tx, organizationID, assignmentID)
	if err != nil {
		return 0, err
	}
	taken := current
	taken.SourceID = id.ID{}
	if err := a.covers(&actor, taken); err != nil {
		return 0, err
	}
	revision, err := a.raise(ctx, tx, organizationID, actor.catalog, false)
	if err != nil {
		return 0, err
	}
	gone, err := store.DeleteAssignment(ctx, tx, organizationID, assignmentID)
	if err != nil {
		return 0, err
	}
	return revision, a.tellGone(ctx, tx, gone, revision)
}

// tellGone tells of assignments that were removed.
func (a *App) tellGone(ctx context.Context, tx *pg.Tx, gone []domain.Assignment, revision int64) error {
	for _, one := range gone {
		a.dropAfterCommit(tx, one)
		if err := a.tellAssignmentDeleted(ctx, tx, one, revision); err != nil {
			return err
		}
	}
	return nil
}

// dropAfterCommit makes this process forget what whoever has the assignment may do.
func (a *App) dropAfterCommit(tx *pg.Tx, given domain.Assignment) {
	if given.Subject.Type == domain.TeamSubject {
		tx.AfterCommit(func() { a.DropOrganization(given.OrganizationID) })
		return
	}
	tx.AfterCommit(func() { a.DropAccess(given.OrganizationID, given.Subject.ID) })
}

// removeAssignments takes from a subject that leaves all that it has, and all that it has given on, at the revision
// of the change by which it leaves.
func (a *App) removeAssignments(ctx context.Context, tx *pg.Tx, organizationID, subjectID id.ID, revision int64) error {
	gone, err := store.DeleteSubjectAssignments(ctx, tx, organizationID, subjectID)
	if err != nil {
		return err
	}
	return a.tellGone(ctx, tx, gone, revision)
}

// KeepServiceAccount writes what was heard of a service account of an organization.
func (a *App) KeepServiceAccount(ctx context.Context, tx *pg.Tx, heard domain.ServiceAccountCopy) error {
	return store.KeepServiceAccount(ctx, tx, heard)
}

// RemoveServiceAccount remembers that a service account is gone, and takes from it what it has. Of an organization that is
// gone there is nothing left to take.
func (a *App) RemoveServiceAccount(ctx context.Context, tx *pg.Tx, organizationID, serviceAccountID id.ID) error {
	// This holds the organization's lock: an assignment that is being made is there afterwards, and a later one is refused.
	revision, err := store.RaiseAccess(ctx, tx, organizationID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := store.RemoveServiceAccount(ctx, tx, organizationID, serviceAccountID); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, serviceAccountID) })
	return a.removeAssignments(ctx, tx, organizationID, serviceAccountID, revision)
}
