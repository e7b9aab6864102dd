package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// TeamMembers is the list of who is in a team.
var TeamMembers = list.Spec{
	Name: "team_members",
	Fields: map[string]list.Field{
		"role":        {Column: "team_member.role", Type: list.Enum, Values: map[string]any{"MEMBER": string(domain.TeamPlain), "LEAD": string(domain.TeamLead)}},
		"displayName": {Column: "profile.display_name", Type: list.Text},
		"joinTime":    {Column: "team_member.joined_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"joinTime":    {Column: "team_member.joined_at", Type: list.Time},
		"displayName": {Column: "profile.display_name", Type: list.String},
	},
	Default:  "joinTime",
	Tiebreak: list.Order{Column: "team_member.user_id", Type: list.ID},
}

// CountTeamMembers counts who is in a team. Under the team's lock the number stays.
func CountTeamMembers(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID) (int64, error) {
	count, err := db.New(tx).CountTeamMembers(ctx, organizationID, teamID)
	return count, wrap("count team members", err)
}

// InsertTeamMember puts somebody into a team. One who is in it is ErrTeamMemberExists, one who is no member of the
// organization ErrUserNotMember.
func InsertTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID, member domain.TeamMember) error {
	_, err := db.New(tx).InsertTeamMember(ctx, db.InsertTeamMemberParams{
		OrganizationID: organizationID, TeamID: teamID, UserID: member.UserID, Role: string(member.Role), JoinedAt: member.JoinedAt,
	})
	if pg.ConstraintOf(err) == "team_member_organization_id_user_id_fkey" {
		return domain.ErrUserNotMember.WithViolation(errs.Violation{
			Field: "userId", Rule: "member", Message: "must be a member of the organization",
		}).WithCause(err)
	}
	return inserted("insert team member", err, domain.ErrTeamMemberExists.With("userId", member.UserID.String()))
}

// GetTeamMember returns somebody's place in a team.
func GetTeamMember(ctx context.Context, querier pg.Querier, organizationID, teamID, userID id.ID) (domain.TeamMember, error) {
	row, err := db.New(querier).GetTeamMember(ctx, organizationID, teamID, userID)
	return domain.TeamMember{
		UserID: userID, DisplayName: row.DisplayName, Role: domain.TeamRole(row.Role), JoinedAt: row.JoinedAt,
	}, one("read team member", err)
}

// ShareTeamRole returns what a user is in a team, "" for nothing. It stays so until the transaction ends.
func ShareTeamRole(ctx context.Context, tx *pg.Tx, organizationID, teamID, userID id.ID) (domain.TeamRole, error) {
	role, err := db.New(tx).ShareTeamMember(ctx, organizationID, teamID, userID)
	_, err = absent("read team role", err)
	return domain.TeamRole(role), err
}

// UpdateTeamMember writes somebody's role in a team, with the transaction's next statement.
func UpdateTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID id.ID, member domain.TeamMember) error {
	return queue(tx).UpdateTeamMember(ctx, organizationID, teamID, member.UserID, string(member.Role))
}

// DeleteTeamMember takes somebody out of a team, with the transaction's next statement.
func DeleteTeamMember(ctx context.Context, tx *pg.Tx, organizationID, teamID, userID id.ID) error {
	return queue(tx).DeleteTeamMember(ctx, organizationID, teamID, userID)
}

// As in the list of members, the limit keeps the look-up of a profile behind its row.
const listTeamMembers = `select team_member.user_id, team_member.role, team_member.joined_at, profile.display_name
from team_member cross join lateral (
    select display_name from profile where profile.user_id = team_member.user_id limit 1
) as profile
where team_member.organization_id = $1 and team_member.team_id = $2`

// ListTeamMembers returns a page of who is in a team.
func ListTeamMembers(ctx context.Context, querier pg.Querier, organizationID, teamID id.ID, query *list.Query) (string, []domain.TeamMember, error) {
	sql, arguments := query.Build(listTeamMembers, organizationID, teamID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.TeamMember) error {
		return rows.Scan(&row.UserID, &row.Role, &row.JoinedAt, &row.DisplayName)
	}, func(row domain.TeamMember, order string) any {
		switch order {
		case "joinTime":
			return row.JoinedAt
		case "displayName":
			return row.DisplayName
		default:
			return row.UserID
		}
	})
}
