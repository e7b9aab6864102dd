package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// InvitedAddress returns what identity must know of a token's invitation; ErrNotFound unless it can be accepted now.
func (a *App) InvitedAddress(ctx context.Context, token string) (InvitationMail, error) {
	organizationID, invitationID, err := store.FindInvitation(ctx, a.DB.Point(pg.Scope{}), HashToken(token))
	if err != nil {
		return InvitationMail{}, err
	}
	mail, err := a.GetInvitationMail(ctx, organizationID, invitationID)
	if err == nil && mail.Token == "" {
		err = errs.ErrNotFound
	}
	return mail, err
}

// JoinInvited accepts for a user who has just registered with the token. The user is the one who does it.
func (a *App) JoinInvited(ctx context.Context, token string, userID id.ID) (domain.Membership, error) {
	organizationID, invitationID, err := store.FindInvitation(ctx, a.DB.Point(pg.Scope{}), HashToken(token))
	if err != nil {
		return domain.Membership{}, err
	}
	person, err := a.Directory.GetPerson(ctx, userID)
	if err != nil {
		return domain.Membership{}, err
	}
	acting := *call.From(ctx)
	acting.Actor = call.Actor{Kind: call.User, UserID: userID}
	ctx = call.With(ctx, &acting)
	var joined domain.Membership
	err = a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) error {
		joined, err = a.AcceptInvitation(ctx, tx, Answer{
			token: token, person: person, invitationID: invitationID, OrganizationID: organizationID, registering: true,
		})
		return err
	})
	return joined, err
}
