package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Members is the list of an organization's members.
var Members = list.Spec{
	Name: "members",
	Fields: map[string]list.Field{
		"roleIds":     {Column: "member.role_ids", Type: list.StringSet},
		"displayName": {Column: "profile.display_name", Type: list.Text},
		"joinTime":    {Column: "member.joined_at", Type: list.Time},
		"state": {
			Column: "(case when member.suspended_at is null then 'active' else 'suspended' end)", Type: list.Enum,
			Values: map[string]any{"ACTIVE": "active", "SUSPENDED": "suspended"},
		},
	},
	Orders: map[string]list.Order{
		"joinTime":    {Column: "member.joined_at", Type: list.Time},
		"displayName": {Column: "profile.display_name", Type: list.String},
	},
	Default:  "joinTime",
	Tiebreak: list.Order{Column: "member.user_id", Type: list.ID},
}

// Roles are a user's roles in an organization; not being a member is an empty list, being suspended is
// ErrMemberSuspended: nobody takes the roles of such a member for good by forgetting to look.
func Roles(ctx context.Context, querier pg.Querier, organizationID, userID id.ID) ([]string, error) {
	row, err := db.New(querier).GetRoles(ctx, organizationID, userID)
	return rolesFound(row.RoleIds, row.Suspended, err)
}

// OwnRoles is Roles for one who is not known to be a member yet: no member is ErrNotFound. The user's own membership is
// visible to them in any scope.
func OwnRoles(ctx context.Context, querier pg.Querier, organizationID, userID id.ID) ([]string, error) {
	roleIDs, err := Roles(ctx, querier, organizationID, userID)
	if err == nil && len(roleIDs) == 0 {
		err = errs.ErrNotFound
	}
	return roleIDs, err
}

func rolesFound(roleIDs []string, suspended bool, err error) ([]string, error) {
	switch {
	case errors.Is(err, pg.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read roles: %w", err)
	case suspended:
		return nil, domain.ErrMemberSuspended
	}
	return roleIDs, nil
}

// Standing is what decides about a change of a member.
type Standing struct {
	Target domain.Membership
	// OtherOwners counts the active owners beside the target.
	OtherOwners int
}

// ReadStanding reads what holds of a member, under the lock of LockAccess. One who is no member is ErrNotFound.
func ReadStanding(ctx context.Context, tx *pg.Tx, organizationID, targetID id.ID) (Standing, error) {
	row, err := db.New(tx).GetStanding(ctx, organizationID, targetID)
	if err != nil {
		return Standing{}, one("read member", err)
	}
	return Standing{Target: membership(row.Member, domain.Person{
		DisplayName: row.DisplayName, Email: row.Email, Title: row.Title, AvatarPath: row.AvatarPath,
	}), OtherOwners: int(row.OtherOwners)}, nil
}

func membership(row db.Member, person domain.Person) domain.Membership {
	person.UserID = row.UserID
	return domain.Membership{
		SuspendedAt: timeFrom(row.SuspendedAt), SuspensionReason: row.SuspensionReason,
		OrganizationID: row.OrganizationID,
		Person:         person,
		RoleIDs:        row.RoleIds, JoinedAt: row.JoinedAt, Revision: row.Revision,
	}
}

// InsertMember adds a member and what is known of the person. One who is a member already is ErrMemberExists.
func InsertMember(ctx context.Context, tx *pg.Tx, member domain.Membership) error {
	_, err := db.New(tx).InsertMember(ctx, member.OrganizationID, member.UserID, member.RoleIDs, member.JoinedAt)
	if err := inserted("insert member", err, domain.ErrMemberExists.With("userId", member.UserID.String())); err != nil {
		return err
	}
	// The profile follows the membership, because only that lets the app role see it.
	return keepProfile(ctx, queue(tx), member.Person)
}

// ProvisionMember adds a member and reports whether there was none before. Who was taken out is not added. It is for the worker role, which may add members
// and see none.
func ProvisionMember(ctx context.Context, tx *pg.Tx, member domain.Membership) (bool, error) {
	added, err := db.New(tx).ProvisionMember(ctx, member.OrganizationID, member.UserID, member.RoleIDs, member.JoinedAt)
	if err != nil || added == 0 {
		return false, one("provision member", err)
	}
	return true, keepProfile(ctx, queue(tx), member.Person)
}

// UpdateMember writes a member's roles and state, with the transaction's next statement.
func UpdateMember(ctx context.Context, tx *pg.Tx, member domain.Membership) error {
	return queue(tx).UpdateMember(ctx, db.UpdateMemberParams{
		OrganizationID: member.OrganizationID, UserID: member.UserID, RoleIds: member.RoleIDs, Revision: member.Revision,
		SuspendedAt: timeOrNil(member.SuspendedAt), SuspensionReason: member.SuspensionReason,
	})
}

// DeleteMember removes a member, with the transaction's next statement.
func DeleteMember(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) error {
	return queue(tx).DeleteMember(ctx, organizationID, userID)
}

// KeepRemoval notes that somebody was taken out, with the transaction's next statement. A membership ends the note.
func KeepRemoval(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID, now time.Time) error {
	return queue(tx).KeepRemoval(ctx, organizationID, userID, now)
}

// RemovedAt returns when somebody was taken out of an organization, zero for one who was not, or is back.
func RemovedAt(ctx context.Context, tx *pg.Tx, organizationID, userID id.ID) (time.Time, error) {
	removed, err := db.New(tx).GetRemoval(ctx, organizationID, userID)
	_, err = absent("read removal", err)
	return removed, err
}

// KeepProfile writes what was heard of a person, unless something newer is known. It is for the worker role.
func KeepProfile(ctx context.Context, tx *pg.Tx, person domain.Person) error {
	return keepProfile(ctx, queue(tx), person)
}

// KnownAddress returns a person's address as it is compared, empty when nothing is known. It is for the worker role.
func KnownAddress(ctx context.Context, tx *pg.Tx, userID id.ID) (string, error) {
	known, err := db.New(tx).GetAddress(ctx, userID)
	if errors.Is(err, pg.ErrNoRows) {
		return "", nil
	}
	return known, one("read address", err)
}

func keepProfile(ctx context.Context, queries *db.Queries, person domain.Person) error {
	return queries.KeepProfile(ctx, db.KeepProfileParams{
		UserID: person.UserID, DisplayName: person.DisplayName, Email: person.Email,
		EmailKey: domain.EmailKey(person.Email), Revision: person.Revision,
		Title: person.Title, AvatarPath: person.AvatarPath,
	})
}

// The limit keeps the look-up of a profile behind its member: in the order they joined, only the page's people are looked
// up, while a join would read the profiles of the whole organization.
const listMembers = `select member.organization_id, member.user_id, member.role_ids, member.joined_at, member.revision,
    member.suspended_at, member.suspension_reason, profile.display_name, profile.email, profile.title, profile.avatar_path
from member cross join lateral (
    select display_name, email, title, avatar_path from profile where profile.user_id = member.user_id limit 1
) as profile
where member.organization_id = $1`

// ListMembers returns a page of an organization's members.
func ListMembers(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.Membership, error) {
	sql, arguments := query.Build(listMembers, organizationID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Membership) error {
		var suspendedAt *time.Time
		err := rows.Scan(&row.OrganizationID, &row.UserID, &row.RoleIDs, &row.JoinedAt, &row.Revision,
			&suspendedAt, &row.SuspensionReason, &row.DisplayName, &row.Email, &row.Title, &row.AvatarPath)
		row.SuspendedAt = timeFrom(suspendedAt)
		return err
	}, func(row domain.Membership, order string) any {
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
