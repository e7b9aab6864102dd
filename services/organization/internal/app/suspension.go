package app

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// SuspendMember keeps a member out; one who is suspended already stays so, for the first reason. What it takes is what
// removing the member would take: no role above the actor's own, and an active owner stays.
func (a *App) SuspendMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, reason string) (domain.Membership, error) {
	if call.From(ctx).Actor.UserID == userID {
		return domain.Membership{}, domain.ErrSuspendSelf
	}
	actor, standing, err := a.lockStanding(ctx, tx, organizationID, userID, domain.SuspendMemberPermission)
	if err != nil {
		return domain.Membership{}, err
	}
	change := domain.Change{Before: standing.Target.RoleIDs, Owners: standing.OtherOwners + 1}
	if err := change.Check(func(roleID string) error { return a.coversRole(&actor, roleID) }); err != nil {
		return domain.Membership{}, err
	}
	if standing.Target.Suspended() {
		standing.Target.AccessRevision = actor.catalog.AccessRevision
		return standing.Target, nil
	}
	suspended := standing.Target.Suspend(reason, a.Clock.Now())
	if suspended.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.Membership{}, err
	}
	if err := store.UpdateMember(ctx, tx, suspended); err != nil {
		return domain.Membership{}, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return suspended, a.tell(ctx, tx, organizationID, "member/"+userID.String(), &organizationv1.MemberSuspended{
		OrganizationId: organizationID.String(), UserId: userID.String(),
	})
}

// ResumeMember lets a suspended member act again; whoever does it must be able to give what comes back.
func (a *App) ResumeMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (domain.Membership, error) {
	actor, standing, err := a.lockStanding(ctx, tx, organizationID, userID, domain.SuspendMemberPermission)
	if err != nil {
		return domain.Membership{}, err
	}
	if err := a.coversHolding(ctx, tx, &actor, organizationID, userID); err != nil {
		return domain.Membership{}, err
	}
	if !standing.Target.Suspended() {
		standing.Target.AccessRevision = actor.catalog.AccessRevision
		return standing.Target, nil
	}
	resumed := standing.Target.Resume()
	if resumed.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.Membership{}, err
	}
	if err := store.UpdateMember(ctx, tx, resumed); err != nil {
		return domain.Membership{}, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return resumed, a.tell(ctx, tx, organizationID, "member/"+userID.String(), &organizationv1.MemberResumed{
		OrganizationId: organizationID.String(), UserId: userID.String(),
	})
}

// coversHolding refuses what a member has, own and by teams, to one who may not give all of it.
func (a *App) coversHolding(ctx context.Context, tx *pg.Tx, actor *holder, organizationID, userID id.ID) error {
	_, holdings, err := store.ReadHoldings(ctx, tx, organizationID, actor.catalog.RolesRevision, a.Clock.Now(), userID)
	if err != nil {
		return err
	}
	for _, roleID := range holdings[0].RoleIDs {
		if err := a.coversRole(actor, roleID); err != nil {
			return err
		}
	}
	for _, held := range holdings[0].Assignments {
		given := held.Assignment
		given.SourceID = id.ID{}
		if err := a.covers(actor, given); err != nil {
			return err
		}
	}
	return nil
}
