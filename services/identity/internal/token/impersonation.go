package token

import (
	"context"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// severalFactors is the method of RFC 8176 that every login of an operator has.
var severalFactors = []string{"mfa"}

// IssueImpersonation returns the access token with which an operator acts in somebody's name. What it says of a login is
// the operator's: that is who sits there.
func (i *Issuer) IssueImpersonation(ctx context.Context, begun domain.Impersonation, operator call.Actor) (string, error) {
	claims := authn.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    authn.Issuer,
			Audience:  jwt.ClaimStrings{authn.Audience},
			Subject:   begun.UserID.String(),
			ID:        id.New().String(),
			IssuedAt:  jwt.NewNumericDate(begun.CreatedAt),
			ExpiresAt: jwt.NewNumericDate(begun.ExpiresAt.Truncate(time.Second)),
		},
		SessionID:     begun.ID.String(),
		AuthTime:      jwt.NewNumericDate(operator.AuthTime),
		AMR:           severalFactors,
		ACR:           call.StrongACR,
		Act:           &authn.Act{Subject: begun.OperatorID.String(), Operator: operator.Operator.String(), Writes: begun.Writes},
		MachineClaims: authn.MachineClaims{OrganizationID: begun.OrganizationID.String()},
	}
	return i.sign(ctx, claims)
}
