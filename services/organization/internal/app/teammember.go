package app

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// AddTeamMember puts a member of the organization into a team.
func (a *App) AddTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID, userID id.ID, role domain.TeamRole) (domain.TeamMember, error) {
	actor, team, err := a.lockManaged(ctx, tx, organizationID, teamID)
	if err != nil {
		return domain.TeamMember{}, err
	}
	line, err := store.TeamAndAbove(ctx, tx, organizationID, teamID)
	if err != nil {
		return domain.TeamMember{}, err
	}
	if err := a.coversJoining(ctx, tx, &actor, organizationID, line, userID); err != nil {
		return domain.TeamMember{}, err
	}
	count, err := store.CountTeamMembers(ctx, tx, organizationID, teamID)
	if err != nil {
		return domain.TeamMember{}, err
	}
	if err := domain.CheckLimit("team members", count, domain.MaxTeamMembers); err != nil {
		return domain.TeamMember{}, err
	}
	if err := store.InsertTeamMember(ctx, tx, organizationID, teamID, domain.TeamMember{UserID: userID, Role: role, JoinedAt: a.Clock.Now()}); err != nil {
		return domain.TeamMember{}, err
	}
	added, err := store.GetTeamMember(ctx, tx, organizationID, teamID, userID)
	if err != nil {
		return domain.TeamMember{}, err
	}
	if _, err := a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.TeamMember{}, err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return added, a.tellTeam(ctx, tx, team, &organizationv1.TeamMemberAdded{
		OrganizationId: organizationID.String(), TeamId: teamID.String(), UserId: userID.String(), Lead: role == domain.TeamLead,
	})
}

// coversJoining refuses to put a user, or all who are in a team, into teams that have what the actor can't give: by being
// in a team one has what it has.
func (a *App) coversJoining(ctx context.Context, tx *pg.Tx, actor *holder, organizationID id.ID, teams []id.ID, joining id.ID) error {
	given, err := store.ListTeamAssignments(ctx, tx, organizationID, teams)
	if err != nil {
		return err
	}
	roleIDs := make([]string, 0, len(given))
	for _, one := range given {
		one.SourceID = id.ID{}
		if err := a.covers(actor, one); err != nil {
			return err
		}
		roleIDs = append(roleIDs, one.RoleID)
	}
	return a.mayDeny(ctx, tx, organizationID, actor, actor.graph, roleIDs, joining)
}

// coversLeaving refuses to take somebody out of teams by which they are denied what the actor can't give.
func (a *App) coversLeaving(ctx context.Context, tx *pg.Tx, actor *holder, organizationID id.ID, teams []id.ID) error {
	given, err := store.ListTeamAssignments(ctx, tx, organizationID, teams)
	if err != nil {
		return err
	}
	for _, one := range given {
		if !denies(actor.graph, one.RoleID) {
			continue
		}
		one.SourceID = id.ID{}
		if err := a.covers(actor, one); err != nil {
			return err
		}
	}
	return nil
}

// lockManaged locks a team whose members the caller is about to change. Who lacks the permission must lead the team, and
// goes on leading it until the transaction ends; a team that is not there is not found for anybody.
func (a *App) lockManaged(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) (holder, domain.Team, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return holder{}, domain.Team{}, err
	}
	team, err := store.LockTeam(ctx, tx, organizationID, teamID)
	lacking := call.From(ctx).Lacking
	if err != nil || lacking == nil {
		return actor, team, err
	}
	role, err := store.ShareTeamRole(ctx, tx, organizationID, teamID, actor.subjectID)
	if err == nil && role != domain.TeamLead {
		err = lacking
	}
	return actor, team, err
}

// ListTeamMembers returns a page of who is in a team and the token of the next one.
func (a *App) ListTeamMembers(ctx context.Context, organizationID, teamID id.ID, request list.Request) (string, []domain.TeamMember, error) {
	request.Binding = []string{organizationID.String(), teamID.String()}
	query, err := store.TeamMembers.Parse(request)
	if err != nil {
		return "", nil, err
	}
	if _, err := a.GetTeam(ctx, organizationID, teamID); err != nil {
		return "", nil, err
	}
	return store.ListTeamMembers(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, teamID, query)
}

// UpdateTeamMember changes somebody's role in a team; "" leaves it.
func (a *App) UpdateTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID, userID id.ID, role domain.TeamRole) (domain.TeamMember, error) {
	_, team, err := a.lockManaged(ctx, tx, organizationID, teamID)
	if err != nil {
		return domain.TeamMember{}, err
	}
	updated, err := store.GetTeamMember(ctx, tx, organizationID, teamID, userID)
	if err != nil || role == "" || role == updated.Role {
		return updated, err
	}
	updated.Role = role
	if err := store.UpdateTeamMember(ctx, tx, organizationID, teamID, updated); err != nil {
		return domain.TeamMember{}, err
	}
	return updated, a.tellTeam(ctx, tx, team, &organizationv1.TeamMemberUpdated{
		OrganizationId: organizationID.String(), TeamId: teamID.String(), UserId: userID.String(), Lead: role == domain.TeamLead,
	})
}

// RemoveTeamMember takes somebody out of a team.
func (a *App) RemoveTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID, userID id.ID) error {
	actor, team, err := a.lockManaged(ctx, tx, organizationID, teamID)
	if err != nil {
		return err
	}
	if _, err := store.GetTeamMember(ctx, tx, organizationID, teamID, userID); err != nil {
		return err
	}
	line, err := store.TeamAndAbove(ctx, tx, organizationID, teamID)
	if err != nil {
		return err
	}
	if err := a.coversLeaving(ctx, tx, &actor, organizationID, line); err != nil {
		return err
	}
	if _, err := a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return err
	}
	if err := store.DeleteTeamMember(ctx, tx, organizationID, teamID, userID); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropAccess(organizationID, userID) })
	return a.tellTeam(ctx, tx, team, &organizationv1.TeamMemberRemoved{
		OrganizationId: organizationID.String(), TeamId: teamID.String(), UserId: userID.String(),
	})
}
