package identity

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

var errInvitations = errs.New(errs.Unavailable, "UNAVAILABLE", "Organizations can't be asked at this moment.")

// invitations asks organization about people who register with an invitation's token.
type invitations struct {
	client organizationv1connect.InvitedRegistrationServiceClient
}

// Address implements app.Invitations.
func (i invitations) Address(ctx context.Context, invitationToken string) (email, organization string, err error) {
	answer, err := i.client.GetInvitedAddress(ctx, &organizationv1.GetInvitedAddressRequest{Token: invitationToken})
	if err != nil {
		return "", "", explain(ctx, "look up invitation", err)
	}
	return answer.GetEmail(), answer.GetOrganizationDisplayName(), nil
}

// Join implements app.Invitations.
func (i invitations) Join(ctx context.Context, invitationToken string, userID id.ID) (organizationID string, err error) {
	answer, err := i.client.JoinInvited(ctx, &organizationv1.JoinInvitedRequest{Token: invitationToken, UserId: userID.String()})
	if err != nil {
		return "", explain(ctx, "join organization", err)
	}
	return answer.GetOrganizationId(), nil
}

func explain(ctx context.Context, action string, err error) error {
	switch {
	case connect.CodeOf(err) == connect.CodeNotFound:
		return errs.ErrNotFound.WithCause(err)
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		return fmt.Errorf("%s: %w", action, ctx.Err())
	}
	return errInvitations.WithCause(err)
}

// ownership asks organization whom somebody would leave alone.
type ownership struct {
	client organizationv1connect.SoleOwnershipServiceClient
}

// Sole implements app.Ownership.
func (o ownership) Sole(ctx context.Context, userID id.ID) ([]string, error) {
	answer, err := o.client.ListSoleOwnerships(ctx, &organizationv1.ListSoleOwnershipsRequest{UserId: userID.String()})
	if err != nil {
		return nil, explain(ctx, "look up ownerships", err)
	}
	return answer.GetOrganizationIds(), nil
}
