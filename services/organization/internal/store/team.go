package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Teams is the list of an organization's teams.
var Teams = list.Spec{
	Name: "teams",
	Fields: map[string]list.Field{
		"displayName":  {Column: "team.display_name", Type: list.Text},
		"parentTeamId": {Column: "team.parent_id", Type: list.ID},
		"createTime":   {Column: "team.created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime":  {Column: "team.created_at", Type: list.Time},
		"displayName": {Column: "team.display_name", Type: list.String},
	},
	Default:  "createTime",
	Tiebreak: list.Order{Column: "team.id", Type: list.ID},
}

// CountTeams counts an organization's teams.
func CountTeams(ctx context.Context, tx *pg.Tx, organizationID id.ID) (int64, error) {
	count, err := db.New(tx).CountTeams(ctx, organizationID)
	return count, wrap("count teams", err)
}

// InsertTeam adds a team, with the transaction's next statement.
func InsertTeam(ctx context.Context, tx *pg.Tx, team domain.Team) error {
	return queue(tx).InsertTeam(ctx, db.InsertTeamParams{
		OrganizationID: team.OrganizationID, ID: team.ID, DisplayName: team.DisplayName, Description: team.Description,
		CreatedAt: team.CreatedAt, ParentID: team.ParentID,
	})
}

// GetTeam returns a team.
func GetTeam(ctx context.Context, querier pg.Querier, organizationID, teamID id.ID) (domain.Team, error) {
	row, err := db.New(querier).GetTeam(ctx, organizationID, teamID)
	return domain.Team(row), one("read team", err)
}

// LockTeam is GetTeam with the row locked until the transaction ends.
func LockTeam(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) (domain.Team, error) {
	row, err := db.New(tx).LockTeam(ctx, organizationID, teamID)
	return domain.Team(row), one("lock team", err)
}

// UpdateTeam writes a team, with the transaction's next statement.
func UpdateTeam(ctx context.Context, tx *pg.Tx, team domain.Team) error {
	return queue(tx).UpdateTeam(ctx, db.UpdateTeamParams{
		OrganizationID: team.OrganizationID, ID: team.ID, DisplayName: team.DisplayName, Description: team.Description,
		UpdatedAt: team.UpdatedAt, Revision: team.Revision, ParentID: team.ParentID,
	})
}

// DeleteTeam removes a team and everybody's place in it, with the transaction's next statement.
func DeleteTeam(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) error {
	return queue(tx).DeleteTeam(ctx, organizationID, teamID)
}

// HasTeamsBelow reports whether any team is below another one.
func HasTeamsBelow(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) (bool, error) {
	has, err := db.New(tx).HasTeamsBelow(ctx, organizationID, teamID)
	return has, wrap("look below team", err)
}

// TeamAndAbove lists a team and those above it, the nearest first; nothing for one that is not there.
func TeamAndAbove(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) ([]id.ID, error) {
	line, err := db.New(tx).GetTeamAndAbove(ctx, organizationID, teamID)
	return line, wrap("read teams above", err)
}

// TeamHeight counts the levels from a team down.
func TeamHeight(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) (int, error) {
	height, err := db.New(tx).GetTeamHeight(ctx, organizationID, teamID)
	return int(height), wrap("read teams below", err)
}

// TeamsOf lists the teams that a user is in: their own and all that are above these.
func TeamsOf(ctx context.Context, querier pg.Querier, organizationID, userID id.ID) ([]id.ID, error) {
	teams, err := db.New(querier).GetTeamsOf(ctx, organizationID, userID)
	return teams, wrap("read teams of user", err)
}

// ListTeams returns a page of an organization's teams.
func ListTeams(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.Team, error) {
	sql, arguments := query.Build(`select organization_id, id, display_name, description, parent_id, created_at, updated_at, revision
from team where organization_id = $1`, organizationID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Team) error {
		return rows.Scan(&row.OrganizationID, &row.ID, &row.DisplayName, &row.Description, &row.ParentID, &row.CreatedAt, &row.UpdatedAt, &row.Revision)
	}, func(row domain.Team, order string) any {
		switch order {
		case "createTime":
			return row.CreatedAt
		case "displayName":
			return row.DisplayName
		default:
			return row.ID
		}
	})
}

// wrap says what went wrong; nil stays nil.
func wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}

// absent tells a row that is not there from a failure.
func absent(action string, err error) (missing bool, failure error) {
	if errors.Is(err, pg.ErrNoRows) {
		return true, nil
	}
	return false, wrap(action, err)
}
