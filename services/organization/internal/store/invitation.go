package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Invitations is the list of an organization's invitations.
var Invitations = list.Spec{
	Name: "invitations",
	Fields: map[string]list.Field{
		"state":      {Column: "current_state", Type: list.Enum, Values: states},
		"email":      {Column: "email", Type: list.Text},
		"roleId":     {Column: "role_id", Type: list.String},
		"createTime": {Column: "created_at", Type: list.Time},
	},
	Orders:   map[string]list.Order{"createTime": {Column: "created_at", Type: list.Time}},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

var states = map[string]any{
	"PENDING": string(domain.Pending), "ACCEPTED": string(domain.Accepted), "REJECTED": string(domain.Rejected),
	"REVOKED": string(domain.Revoked), "EXPIRED": string(domain.Expired),
}

// IsMember reports whether an address is a member's already.
func IsMember(ctx context.Context, tx *pg.Tx, organizationID id.ID, email string) (bool, error) {
	isMember, err := db.New(tx).IsInvitedMember(ctx, organizationID, domain.EmailKey(email))
	if err != nil {
		return false, fmt.Errorf("look for member: %w", err)
	}
	return isMember, nil
}

// InsertInvitation adds an invitation. One that has expired without anybody writing it down gives way; one that is
// pending is ErrInvitationExists.
func InsertInvitation(ctx context.Context, tx *pg.Tx, invitation domain.Invitation, tokenHash []byte) error {
	key := domain.EmailKey(invitation.Email)
	if err := queue(tx).ExpireInvitation(ctx, invitation.OrganizationID, key, invitation.CreatedAt); err != nil {
		return err
	}
	_, err := db.New(tx).InsertInvitation(ctx, db.InsertInvitationParams{
		OrganizationID: invitation.OrganizationID, ID: invitation.ID, Email: invitation.Email, EmailKey: key,
		RoleID: invitation.RoleID, InviterID: invitation.InviterID, CreatedAt: invitation.CreatedAt, ExpiresAt: invitation.ExpiresAt,
	})
	if err := inserted("insert invitation", err, domain.ErrInvitationExists.With("email", invitation.Email)); err != nil {
		return err
	}
	return queue(tx).InsertInvitationToken(ctx, tokenHash, invitation.OrganizationID, invitation.ID)
}

// FindInvitation returns where a token leads, by its hash. It needs no organization in scope.
func FindInvitation(ctx context.Context, querier pg.Querier, tokenHash []byte) (organizationID, invitationID id.ID, err error) {
	row, err := db.New(querier).FindInvitationByToken(ctx, tokenHash)
	return row.OrganizationID, row.InvitationID, one("find invitation", err)
}

// LockInvitation returns an invitation, locked until the transaction ends.
func LockInvitation(ctx context.Context, tx *pg.Tx, organizationID, invitationID id.ID) (domain.Invitation, error) {
	row, err := db.New(tx).GetInvitationForUpdate(ctx, organizationID, invitationID)
	return invitation(row), one("lock invitation", err)
}

func invitation(row db.Invitation) domain.Invitation {
	return domain.Invitation{
		OrganizationID: row.OrganizationID, ID: row.ID, Email: row.Email, RoleID: row.RoleID,
		Stored: domain.State(row.State), InviterID: row.InviterID, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
		ExpiresAt: row.ExpiresAt, Sending: row.Sending,
	}
}

// UpdateInvitation writes what may change of an invitation, with the transaction's next statement.
func UpdateInvitation(ctx context.Context, tx *pg.Tx, changed domain.Invitation) error {
	return queue(tx).UpdateInvitation(ctx, db.UpdateInvitationParams{
		OrganizationID: changed.OrganizationID, ID: changed.ID, State: string(changed.Stored),
		UpdatedAt: changed.UpdatedAt, ExpiresAt: changed.ExpiresAt, Sending: changed.Sending, InviterID: changed.InviterID,
	})
}

// UpdateInvitationToken makes another token lead to the invitation, and the one before to nothing.
func UpdateInvitationToken(ctx context.Context, tx *pg.Tx, organizationID, invitationID id.ID, tokenHash []byte) error {
	return queue(tx).UpdateInvitationToken(ctx, organizationID, invitationID, tokenHash)
}

// InvitationMail is what a mail says besides its token.
type InvitationMail struct {
	Invitation              domain.Invitation
	OrganizationDisplayName string
	// InviterDisplayName is empty once the inviter has left.
	InviterDisplayName string
}

// GetInvitationMail reads what a mail says.
func GetInvitationMail(ctx context.Context, querier pg.Querier, organizationID, invitationID id.ID) (InvitationMail, error) {
	row, err := db.New(querier).GetInvitationMail(ctx, organizationID, invitationID)
	return InvitationMail{
		Invitation: invitation(row.Invitation), OrganizationDisplayName: row.OrganizationDisplayName,
		InviterDisplayName: row.InviterDisplayName,
	}, one("read invitation", err)
}

// What is filtered by is what is shown: domain.Invitation.State, in SQL.
const listInvitations = `select id, email, role_id, current_state, inviter_id, created_at, updated_at, expires_at, sending
from (
    select *, case when state = 'pending' and expires_at <= $2 then 'expired' else state end as current_state
    from invitation where organization_id = $1
) as invitation
where true`

// ListInvitations returns a page of an organization's invitations, with the states they have at a time as the stored
// ones.
func ListInvitations(ctx context.Context, querier pg.Querier, organizationID id.ID, now time.Time, query *list.Query) (string, []domain.Invitation, error) {
	sql, arguments := query.Build(listInvitations, organizationID, now)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.Invitation) error {
		row.OrganizationID = organizationID
		return rows.Scan(&row.ID, &row.Email, &row.RoleID, &row.Stored, &row.InviterID, &row.CreatedAt, &row.UpdatedAt, &row.ExpiresAt, &row.Sending)
	}, func(row domain.Invitation, order string) any {
		if order == "createTime" {
			return row.CreatedAt
		}
		return row.ID
	})
}
