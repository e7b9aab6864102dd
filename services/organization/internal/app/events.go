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

func (a *App) tellPermissionCreated(ctx context.Context, tx *pg.Tx, organizationID id.ID, created domain.Permission) error {
	return a.tell(ctx, tx, organizationID, "permission/"+created.Name, &organizationv1.PermissionCreated{
		OrganizationId: organizationID.String(), Name: created.Name, AccessRevision: created.AccessRevision,
	})
}

func (a *App) tellPermissionUpdated(ctx context.Context, tx *pg.Tx, organizationID id.ID, updated domain.Permission) error {
	return a.tell(ctx, tx, organizationID, "permission/"+updated.Name, &organizationv1.PermissionUpdated{
		OrganizationId: organizationID.String(), Name: updated.Name, Description: updated.Description,
	})
}

func (a *App) tellPermissionDeleted(ctx context.Context, tx *pg.Tx, organizationID id.ID, name string, revision int64) error {
	return a.tell(ctx, tx, organizationID, "permission/"+name, &organizationv1.PermissionDeleted{
		OrganizationId: organizationID.String(), Name: name, AccessRevision: revision,
	})
}

func (a *App) tellRoleCreated(ctx context.Context, tx *pg.Tx, organizationID id.ID, created domain.Role) error {
	return a.tell(ctx, tx, organizationID, "role/"+created.ID, &organizationv1.RoleCreated{
		OrganizationId: organizationID.String(), Role: EncodeRole(created), AccessRevision: created.AccessRevision,
	})
}

func (a *App) tellRoleUpdated(ctx context.Context, tx *pg.Tx, organizationID id.ID, updated domain.Role) error {
	return a.tell(ctx, tx, organizationID, "role/"+updated.ID, &organizationv1.RoleUpdated{
		OrganizationId: organizationID.String(), Role: EncodeRole(updated), AccessRevision: updated.AccessRevision,
	})
}

func (a *App) tellRoleDeleted(ctx context.Context, tx *pg.Tx, organizationID id.ID, roleID string, revision int64) error {
	return a.tell(ctx, tx, organizationID, "role/"+roleID, &organizationv1.RoleDeleted{
		OrganizationId: organizationID.String(), RoleId: roleID, AccessRevision: revision,
	})
}

func (a *App) tellAssignmentCreated(ctx context.Context, tx *pg.Tx, created domain.Assignment) error {
	return a.tell(ctx, tx, created.OrganizationID, "assignment/"+created.ID.String(), &organizationv1.AssignmentCreated{
		OrganizationId: created.OrganizationID.String(), Assignment: EncodeAssignment(created), AccessRevision: created.AccessRevision,
	})
}

func (a *App) tellAssignmentDeleted(ctx context.Context, tx *pg.Tx, deleted domain.Assignment, revision int64) error {
	return a.tell(ctx, tx, deleted.OrganizationID, "assignment/"+deleted.ID.String(), &organizationv1.AssignmentDeleted{
		OrganizationId: deleted.OrganizationID.String(), Assignment: EncodeAssignment(deleted), AccessRevision: revision,
	})
}
