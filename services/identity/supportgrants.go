package identity

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/gen/go/braid/organization/v1/organizationv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

var errSupportGrants = errs.New(errs.Unavailable, "UNAVAILABLE", "Support grants can't be looked up at this moment.")

// supportGrants asks organization by what operators are let in.
type supportGrants struct {
	client organizationv1connect.SupportAccessServiceClient
}

// Find implements app.SupportGrants.
func (s supportGrants) Find(ctx context.Context, organizationID, operatorID id.ID, role call.OperatorRole) (domain.SupportGrant, error) {
	answer, err := s.client.GetSupportAccess(ctx, &organizationv1.GetSupportAccessRequest{
		OrganizationId: organizationID.String(), OperatorId: operatorID.String(), OperatorRole: role.String(),
	})
	if err != nil {
		return domain.SupportGrant{}, errSupportGrants.WithCause(err)
	}
	grantID, err := id.Parse(answer.GetSupportGrantId())
	if !answer.GetGranted() || err != nil {
		return domain.SupportGrant{}, errs.ErrNotFound
	}
	return domain.SupportGrant{
		ID: grantID, Writes: answer.GetAccess() == organizationv1.SupportGrant_WRITE, ExpiresAt: answer.GetExpireTime().AsTime(),
	}, nil
}
