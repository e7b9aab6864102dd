package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// tell publishes a fact of an organization. Everything of one organization is in order.
func (a *App) tell(ctx context.Context, tx *pg.Tx, organizationID id.ID, subject string, fact proto.Message) error {
	return outbox.Append(ctx, tx, a.Clock, outbox.Event{
		Message: fact, Key: organizationID, OrganizationID: organizationID, Subject: subject,
	})
}

func (a *App) tellOrganizationCreated(ctx context.Context, tx *pg.Tx, created domain.Organization) error {
	return a.tell(ctx, tx, created.ID, "organization/"+created.ID.String(), &organizationv1.OrganizationCreated{
		OrganizationId: created.ID.String(), DisplayName: created.DisplayName, Slug: created.Slug,
	})
}

func (a *App) tellOrganizationUpdated(ctx context.Context, tx *pg.Tx, updated domain.Organization) error {
	return a.tell(ctx, tx, updated.ID, "organization/"+updated.ID.String(), &organizationv1.OrganizationUpdated{
		OrganizationId: updated.ID.String(), DisplayName: updated.DisplayName, Slug: updated.Slug,
	})
}

func (a *App) tellMemberAdded(ctx context.Context, tx *pg.Tx, added domain.Membership) error {
	return a.tell(ctx, tx, added.OrganizationID, "member/"+added.UserID.String(), &organizationv1.MemberAdded{
		OrganizationId: added.OrganizationID.String(), UserId: added.UserID.String(), RoleIds: added.RoleIDs,
	})
}

func (a *App) tellMemberRolesChanged(ctx context.Context, tx *pg.Tx, changed domain.Membership, before []string) error {
	return a.tell(ctx, tx, changed.OrganizationID, "member/"+changed.UserID.String(), &organizationv1.MemberRolesChanged{
		OrganizationId: changed.OrganizationID.String(), UserId: changed.UserID.String(),
		RoleIds: changed.RoleIDs, PreviousRoleIds: before,
	})
}

func (a *App) tellMemberRemoved(ctx context.Context, tx *pg.Tx, removed domain.Membership) error {
	return a.tell(ctx, tx, removed.OrganizationID, "member/"+removed.UserID.String(), &organizationv1.MemberRemoved{
		OrganizationId: removed.OrganizationID.String(), UserId: removed.UserID.String(),
	})
}

func (a *App) tellInvitationSent(ctx context.Context, tx *pg.Tx, sent domain.Invitation) error {
	return a.tellInvitation(ctx, tx, sent, &organizationv1.InvitationSent{
		OrganizationId: sent.OrganizationID.String(), InvitationId: sent.ID.String(), RoleId: sent.RoleID, Sending: sent.Sending,
	})
}

func (a *App) tellInvitation(ctx context.Context, tx *pg.Tx, about domain.Invitation, fact proto.Message) error {
	return a.tell(ctx, tx, about.OrganizationID, "invitation/"+about.ID.String(), fact)
}

// lifecycleFact is a fact that changes what everybody may do in an organization.
type lifecycleFact interface {
	proto.Message
	GetOrganizationId() string
}

func (a *App) tellLifecycle(ctx context.Context, tx *pg.Tx, organizationID id.ID, fact lifecycleFact) error {
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return a.tell(ctx, tx, organizationID, "organization/"+organizationID.String(), fact)
}
