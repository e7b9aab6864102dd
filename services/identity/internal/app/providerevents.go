package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
)

func (a *App) identityLinked(ctx context.Context, tx *pg.Tx, link domain.ExternalIdentity) error {
	return a.tellOfIdentity(ctx, tx, link, &identityv1.ExternalIdentityLinked{
		UserId: link.UserID.String(), IdentityId: link.ID.String(), ProviderId: domain.SourceID(link.Source),
	})
}

func (a *App) identityUnlinked(ctx context.Context, tx *pg.Tx, link domain.ExternalIdentity) error {
	return a.tellOfIdentity(ctx, tx, link, &identityv1.ExternalIdentityUnlinked{
		UserId: link.UserID.String(), IdentityId: link.ID.String(), ProviderId: domain.SourceID(link.Source),
	})
}

func (a *App) tellOfIdentity(ctx context.Context, tx *pg.Tx, link domain.ExternalIdentity, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: message, Key: link.UserID, Subject: "external_identity/" + link.ID.String(),
	})
}

func (a *App) identityRefused(ctx context.Context, tx *pg.Tx, userID id.ID, source string) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.ExternalIdentityRefused{
			UserId: userID.String(), ProviderId: domain.SourceID(source), UserAgent: domain.CutUserAgent(call.From(ctx).UserAgent),
		},
		Key: userID, Subject: "user/" + userID.String(),
	})
}

func (a *App) ssoConnectionCreated(ctx context.Context, tx *pg.Tx, made domain.SSOConnection) error {
	return a.tellOfConnection(ctx, tx, made, &identityv1.SsoConnectionCreated{
		OrganizationId: made.OrganizationID.String(), SsoConnectionId: made.ID.String(), Issuer: made.Issuer, Required: made.Required,
	})
}

func (a *App) ssoConnectionUpdated(ctx context.Context, tx *pg.Tx, changed domain.SSOConnection) error {
	return a.tellOfConnection(ctx, tx, changed, &identityv1.SsoConnectionUpdated{
		OrganizationId: changed.OrganizationID.String(), SsoConnectionId: changed.ID.String(), Issuer: changed.Issuer, Required: changed.Required,
	})
}

func (a *App) ssoConnectionDeleted(ctx context.Context, tx *pg.Tx, gone domain.SSOConnection) error {
	return a.tellOfConnection(ctx, tx, gone, &identityv1.SsoConnectionDeleted{
		OrganizationId: gone.OrganizationID.String(), SsoConnectionId: gone.ID.String(),
	})
}

func (a *App) tellOfConnection(ctx context.Context, tx *pg.Tx, connection domain.SSOConnection, message proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: message, Key: connection.OrganizationID, OrganizationID: connection.OrganizationID,
		Subject: "sso_connection/" + connection.ID.String(),
	})
}

// userProvisioned is in order with the user's other events.
func (a *App) userProvisioned(ctx context.Context, tx *pg.Tx, user domain.User, by domain.SSOConnection) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.SsoUserProvisioned{
			OrganizationId: by.OrganizationID.String(), SsoConnectionId: by.ID.String(), UserId: user.ID.String(),
			RoleId: by.DefaultRoleID, Email: user.Email, DisplayName: user.DisplayName, Revision: user.Revision,
			Title: user.Title, AvatarPath: user.AvatarPath(),
		},
		Key: user.ID, OrganizationID: by.OrganizationID, Subject: "user/" + user.ID.String(),
	})
}

func (a *App) ssoBypassed(ctx context.Context, tx *pg.Tx, sso domain.SSO, userID id.ID) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: &identityv1.SsoBypassed{
			OrganizationId: sso.OrganizationID.String(), SsoConnectionId: sso.ConnectionID.String(), UserId: userID.String(),
			UserAgent: domain.CutUserAgent(call.From(ctx).UserAgent),
		},
		Key: userID, OrganizationID: sso.OrganizationID, Subject: "user/" + userID.String(),
	})
}
