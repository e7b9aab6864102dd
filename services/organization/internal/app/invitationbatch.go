package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Invitee is one row of a batch.
type Invitee struct{ Email, RoleID string }

// Invited is what became of a row: an invitation, or why there is none.
type Invited struct {
	Invitation domain.Invitation
	Refusal    *errs.Error
}

// CreateInvitations invites many in one transaction. What is wrong with a row is that row's answer and leaves the others
// alone; what is wrong with the database or with us ends all of it.
func (a *App) CreateInvitations(ctx context.Context, tx *pg.Tx, organizationID id.ID, invitees []Invitee) ([]Invited, error) {
	results := make([]Invited, 0, len(invitees))
	for _, invitee := range invitees {
		created, err := a.CreateInvitation(ctx, tx, organizationID, invitee.Email, invitee.RoleID)
		var refusal *errs.Error
		if err != nil && (!errors.As(err, &refusal) || !refusesRow(refusal.Kind)) {
			return nil, err
		}
		results = append(results, Invited{created, refusal})
	}
	return results, nil
}

// refusesRow tells a refusal, which has left the transaction as it was, from a failure.
func refusesRow(kind errs.Kind) bool {
	return kind == errs.InvalidArgument || kind == errs.AlreadyExists || kind == errs.PermissionDenied
}
