package authn

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/gen/go/braid/identity/v1/identityv1connect"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// CredentialClient is Credentials by identity's RPCs.
type CredentialClient struct {
	identityv1connect.CredentialServiceClient
}

// Verify implements Credentials.
func (c CredentialClient) Verify(ctx context.Context, hash credential.Hash) (Credential, error) {
	answer, err := c.VerifyCredential(ctx, &identityv1.VerifyCredentialRequest{Hash: hash[:]})
	if err != nil {
		return Credential{}, err
	}
	if !answer.GetGood() {
		return Credential{}, errs.ErrNotFound
	}
	return describeCredential(answer)
}

// describeCredential reads identity's description. One that can't be read is no description: what it limits is not known.
func describeCredential(answer *identityv1.VerifyCredentialResponse) (Credential, error) {
	described := Credential{Kind: call.User, Expires: answer.GetExpireTime().AsTime()}
	owner := answer.GetUserId()
	if owner == "" {
		described.Kind, owner = call.ServiceAccount, answer.GetServiceAccountId()
	}
	var err error
	if described.ID, err = id.Parse(answer.GetCredentialId()); err != nil {
		return Credential{}, fmt.Errorf("read credential: %w", err)
	}
	if described.OwnerID, err = id.Parse(owner); err != nil {
		return Credential{}, fmt.Errorf("read credential's owner: %w", err)
	}
	limits := &call.Limits{Scopes: call.NewScopes(answer.GetScopes())}
	if err := limits.OrganizationID.UnmarshalText([]byte(answer.GetOrganizationId())); err != nil {
		return Credential{}, fmt.Errorf("read credential's organization: %w", err)
	}
	if described.Kind == call.ServiceAccount && limits.OrganizationID.IsZero() {
		return Credential{}, fmt.Errorf("read credential's organization: %w", id.ErrInvalid)
	}
	if err := limits.MakerID.UnmarshalText([]byte(answer.GetMakerId())); err != nil {
		return Credential{}, fmt.Errorf("read credential's maker: %w", err)
	}
	// A key whose maker nobody knows would be bound by nobody.
	if described.Kind == call.ServiceAccount && limits.MakerID.IsZero() {
		return Credential{}, fmt.Errorf("read credential's maker: %w", id.ErrInvalid)
	}
	if limits.Networks, err = ParseNetworks(answer.GetAllowedNetworks()); err != nil {
		return Credential{}, err
	}
	limits.MadeAt = answer.GetCreateTime().AsTime()
	limits.MadeBy = call.Login{Methods: call.MethodsOf(answer.GetAmr(), ""), BrokeGlass: answer.GetSsoBypassed()}
	if answer.GetAuthTime() != nil {
		limits.MadeBy.Time = answer.GetAuthTime().AsTime()
	}
	if err := limits.MadeBy.Passed.UnmarshalText([]byte(answer.GetSsoConnectionId())); err != nil {
		return Credential{}, fmt.Errorf("read the connection of a credential's login: %w", err)
	}
	described.Limits = limits
	return described, nil
}

// Good implements Credentials.
func (c CredentialClient) Good(ctx context.Context, credentialID, tokenID id.ID) (bool, error) {
	state, err := c.GetCredentialState(ctx, &identityv1.GetCredentialStateRequest{
		CredentialId: credentialID.String(), TokenId: tokenID.String(),
	})
	return state.GetGood(), err
}

// Record tells identity of uses.
func (c CredentialClient) Record(ctx context.Context, uses []Use) error {
	request := &identityv1.RecordCredentialUsesRequest{}
	for _, use := range uses {
		request.Uses = append(request.Uses, &identityv1.CredentialUse{
			CredentialId: use.CredentialID.String(), UseTime: timestamppb.New(use.At), ClientAddress: use.Address.String(),
		})
	}
	_, err := c.RecordCredentialUses(ctx, request)
	return err
}
