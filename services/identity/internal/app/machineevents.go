package app

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

// tellOfToken appends an event about a person's access token. One that is bound to an organization is that one's matter:
// the others that the person is in hear nothing of it.
func (a *App) tellOfToken(ctx context.Context, tx *pg.Tx, userID, organizationID, tokenID id.ID, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: message, Key: userID, OrganizationID: organizationID, Subject: "access_token/" + tokenID.String(),
	})
}

// tellOfMachine appends an event about a service account, or about a key of one; they are in order by the service account.
func (a *App) tellOfMachine(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, subject string, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: message, Key: owner.ServiceAccountID, OrganizationID: owner.OrganizationID, Subject: subject,
	})
}

func (a *App) credentialCreated(ctx context.Context, tx *pg.Tx, made domain.MachineCredential) error {
	if !made.Owner.UserID.IsZero() {
		return a.tellOfToken(ctx, tx, made.Owner.UserID, made.OrganizationID, made.ID, &identityv1.AccessTokenCreated{
			UserId: made.Owner.UserID.String(), AccessTokenId: made.ID.String(), DisplayName: made.DisplayName, Scopes: made.Scopes,
			OrganizationId: made.OrganizationID.String(), ExpireTime: timestamppb.New(made.ExpiresAt),
		})
	}
	return a.tellOfMachine(ctx, tx, made.Owner, "api_key/"+made.ID.String(), &identityv1.ApiKeyCreated{
		OrganizationId: made.Owner.OrganizationID.String(), ServiceAccountId: made.Owner.ServiceAccountID.String(),
		KeyId: made.ID.String(), DisplayName: made.DisplayName, Scopes: made.Scopes, ExpireTime: timestamppb.New(made.ExpiresAt),
	})
}

func (a *App) credentialRotated(ctx context.Context, tx *pg.Tx, replaced domain.MachineCredential, successorID id.ID, end time.Time) error {
	if !replaced.Owner.UserID.IsZero() {
		return a.tellOfToken(ctx, tx, replaced.Owner.UserID, replaced.OrganizationID, replaced.ID, &identityv1.AccessTokenRotated{
			UserId: replaced.Owner.UserID.String(), AccessTokenId: replaced.ID.String(), SuccessorId: successorID.String(),
			ExpireTime: timestamppb.New(end),
		})
	}
	return a.tellOfMachine(ctx, tx, replaced.Owner, "api_key/"+replaced.ID.String(), &identityv1.ApiKeyRotated{
		OrganizationId: replaced.Owner.OrganizationID.String(), ServiceAccountId: replaced.Owner.ServiceAccountID.String(),
		KeyId: replaced.ID.String(), SuccessorId: successorID.String(), ExpireTime: timestamppb.New(end),
	})
}

func (a *App) credentialRevoked(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, organizationID, credentialID id.ID) error {
	if !owner.UserID.IsZero() {
		return a.tellOfToken(ctx, tx, owner.UserID, organizationID, credentialID, &identityv1.AccessTokenRevoked{
			UserId: owner.UserID.String(), AccessTokenId: credentialID.String(),
		})
	}
	return a.tellOfMachine(ctx, tx, owner, "api_key/"+credentialID.String(), &identityv1.ApiKeyRevoked{
		OrganizationId: owner.OrganizationID.String(), ServiceAccountId: owner.ServiceAccountID.String(), KeyId: credentialID.String(),
	})
}

func (a *App) oauthTokenRevoked(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, keyID, tokenID id.ID) error {
	return a.tellOfMachine(ctx, tx, owner, "oauth_token/"+tokenID.String(), &identityv1.OauthTokenRevoked{
		OrganizationId: owner.OrganizationID.String(), ServiceAccountId: owner.ServiceAccountID.String(),
		KeyId: keyID.String(), TokenId: tokenID.String(),
	})
}

func (a *App) serviceAccountCreated(ctx context.Context, tx *pg.Tx, account domain.ServiceAccount) error {
	return a.tellOfMachine(ctx, tx, ownerOf(account), "service_account/"+account.ID.String(), &identityv1.ServiceAccountCreated{
		OrganizationId: account.OrganizationID.String(), ServiceAccountId: account.ID.String(), DisplayName: account.DisplayName,
		Revision: account.Revision,
	})
}

func (a *App) serviceAccountUpdated(ctx context.Context, tx *pg.Tx, account domain.ServiceAccount) error {
	return a.tellOfMachine(ctx, tx, ownerOf(account), "service_account/"+account.ID.String(), &identityv1.ServiceAccountUpdated{
		OrganizationId: account.OrganizationID.String(), ServiceAccountId: account.ID.String(), DisplayName: account.DisplayName,
		Revision: account.Revision,
	})
}

func (a *App) serviceAccountDeleted(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner) error {
	return a.tellOfMachine(ctx, tx, owner, "service_account/"+owner.ServiceAccountID.String(), &identityv1.ServiceAccountDeleted{
		OrganizationId: owner.OrganizationID.String(), ServiceAccountId: owner.ServiceAccountID.String(),
	})
}

func ownerOf(account domain.ServiceAccount) domain.MachineOwner {
	return domain.MachineOwner{OrganizationID: account.OrganizationID, ServiceAccountID: account.ID}
}
