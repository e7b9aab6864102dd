package app

import (
	"context"
	"slices"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// CreateTeam makes a team. content holds its name, description and place.
func (a *App) CreateTeam(ctx context.Context, tx *pg.Tx, organizationID id.ID, content domain.Team) (domain.Team, error) {
	now := a.Clock.Now()
	created := content
	created.OrganizationID, created.ID = organizationID, id.New()
	created.CreatedAt, created.UpdatedAt, created.Revision = now, now, 1
	var err error
	if created.DisplayName, err = domain.CheckDisplayName("displayName", content.DisplayName); err != nil {
		return domain.Team{}, err
	}
	if _, err := a.lockAccessAsMember(ctx, tx, organizationID); err != nil {
		return domain.Team{}, err
	}
	count, err := store.CountTeams(ctx, tx, organizationID)
	if err != nil {
		return domain.Team{}, err
	}
	if err := domain.CheckLimit("teams", count, domain.MaxTeams); err != nil {
		return domain.Team{}, err
	}
	if err := checkPlace(ctx, tx, created, 1, "parentTeamId"); err != nil {
		return domain.Team{}, err
	}
	if err := store.InsertTeam(ctx, tx, created); err != nil {
		return domain.Team{}, err
	}
	return created, a.tellTeam(ctx, tx, created, &organizationv1.TeamCreated{
		OrganizationId: organizationID.String(), TeamId: created.ID.String(), DisplayName: created.DisplayName,
		ParentTeamId: encodeID(created.ParentID),
	})
}

// checkPlace refuses a place that the team, with height levels from it down, can't have. The teams must be locked.
func checkPlace(ctx context.Context, tx *pg.Tx, team domain.Team, height int, field string) error {
	if team.ParentID.IsZero() {
		return nil
	}
	line, err := store.TeamAndAbove(ctx, tx, team.OrganizationID, team.ParentID)
	if err != nil {
		return err
	}
	return domain.CheckParent(team.ID, line, height, field)
}

// GetTeam returns a team.
func (a *App) GetTeam(ctx context.Context, organizationID, teamID id.ID) (domain.Team, error) {
	return store.GetTeam(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, teamID)
}

// ListTeams returns a page of an organization's teams and the token of the next one.
func (a *App) ListTeams(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Team, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Teams.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListTeams(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, query)
}

// TeamChange holds what is to change; nil leaves a value as it is.
type TeamChange struct {
	DisplayName *string
	Description *string
	ParentID    *id.ID
	Etag        string
}

// UpdateTeam changes a team. A change that changes nothing is no change.
func (a *App) UpdateTeam(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID, change TeamChange) (domain.Team, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.Team{}, err
	}
	current, err := store.LockTeam(ctx, tx, organizationID, teamID)
	if err != nil {
		return domain.Team{}, err
	}
	if err := domain.CheckEtag(change.Etag, current.Revision); err != nil {
		return domain.Team{}, err
	}
	updated := current
	if change.DisplayName != nil {
		if updated.DisplayName, err = domain.CheckDisplayName("team.displayName", *change.DisplayName); err != nil {
			return domain.Team{}, err
		}
	}
	if change.Description != nil {
		updated.Description = *change.Description
	}
	if change.ParentID != nil {
		updated.ParentID = *change.ParentID
	}
	if updated == current {
		return current, nil
	}
	if updated.ParentID != current.ParentID {
		if err := a.moveTeam(ctx, tx, &actor, current, updated); err != nil {
			return domain.Team{}, err
		}
	}
	updated.Revision++
	updated.UpdatedAt = a.Clock.Now()
	if err := store.UpdateTeam(ctx, tx, updated); err != nil {
		return domain.Team{}, err
	}
	return updated, a.tellTeam(ctx, tx, updated, &organizationv1.TeamUpdated{
		OrganizationId: organizationID.String(), TeamId: teamID.String(), DisplayName: updated.DisplayName,
		ParentTeamId: encodeID(updated.ParentID), PreviousParentTeamId: encodeID(current.ParentID),
	})
}

// moveTeam refuses a place that the team can't have, or that would give its members, or take from them, what the actor
// can't give; else it raises the organization's access revision.
func (a *App) moveTeam(ctx context.Context, tx *pg.Tx, actor *holder, current, moved domain.Team) error {
	height, err := store.TeamHeight(ctx, tx, current.OrganizationID, current.ID)
	if err != nil {
		return err
	}
	if err := checkPlace(ctx, tx, moved, height, "team.parentTeamId"); err != nil {
		return err
	}
	before, err := store.TeamAndAbove(ctx, tx, current.OrganizationID, current.ParentID)
	if err != nil {
		return err
	}
	after, err := store.TeamAndAbove(ctx, tx, moved.OrganizationID, moved.ParentID)
	if err != nil {
		return err
	}
	if err := a.coversJoining(ctx, tx, actor, current.OrganizationID, without(after, before), current.ID); err != nil {
		return err
	}
	if err := a.coversLeaving(ctx, tx, actor, current.OrganizationID, without(before, after)); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropOrganization(current.OrganizationID) })
	_, err = a.raise(ctx, tx, current.OrganizationID, actor.catalog, false)
	return err
}

// without lists the teams that are not among the others.
func without(teams, others []id.ID) []id.ID {
	return slices.DeleteFunc(slices.Clone(teams), func(team id.ID) bool { return slices.Contains(others, team) })
}

// DeleteTeam removes a team without teams below it, with all that it has.
func (a *App) DeleteTeam(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) error {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return err
	}
	deleted, err := store.LockTeam(ctx, tx, organizationID, teamID)
	if err != nil {
		return err
	}
	below, err := store.HasTeamsBelow(ctx, tx, organizationID, teamID)
	if err != nil {
		return err
	}
	if below {
		return domain.ErrTeamHasChildren
	}
	line, err := store.TeamAndAbove(ctx, tx, organizationID, teamID)
	if err != nil {
		return err
	}
	if err := a.coversLeaving(ctx, tx, &actor, organizationID, line); err != nil {
		return err
	}
	revision, err := a.raise(ctx, tx, organizationID, actor.catalog, false)
	if err != nil {
		return err
	}
	if err := a.removeAssignments(ctx, tx, organizationID, teamID, revision); err != nil {
		return err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	if err := store.DeleteTeam(ctx, tx, organizationID, teamID); err != nil {
		return err
	}
	return a.tellTeam(ctx, tx, deleted, &organizationv1.TeamDeleted{OrganizationId: organizationID.String(), TeamId: teamID.String()})
}
