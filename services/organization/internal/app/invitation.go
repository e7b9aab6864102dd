package app

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// CreateInvitation invites an address.
func (a *App) CreateInvitation(ctx context.Context, tx *pg.Tx, organizationID id.ID, email, roleID string) (domain.Invitation, error) {
	if err := mailaddress.Check("email", email); err != nil {
		return domain.Invitation{}, err
	}
	now := a.Clock.Now()
	inviter, err := a.lockAccess(ctx, tx, organizationID)
	if err != nil {
		return domain.Invitation{}, err
	}
	if err := a.checkRoles(&inviter, "roleId", roleID); err != nil {
		return domain.Invitation{}, err
	}
	if err := a.coversRole(&inviter, roleID); err != nil {
		return domain.Invitation{}, err
	}
	if err := inviter.checkInvitationDomain("email", email); err != nil {
		return domain.Invitation{}, err
	}
	isMember, err := store.IsMember(ctx, tx, organizationID, email)
	if err != nil {
		return domain.Invitation{}, err
	}
	if isMember {
		return domain.Invitation{}, domain.ErrMemberExists.With("email", email)
	}
	created := domain.Invitation{
		OrganizationID: organizationID, ID: id.New(), Email: email, RoleID: roleID, Stored: domain.Pending,
		InviterID: inviter.subjectID, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(domain.InvitationLifetime), Sending: 1,
	}
	if err := store.InsertInvitation(ctx, tx, created, a.Tokens.Hash(created.ID, created.Sending)); err != nil {
		return domain.Invitation{}, err
	}
	return created, a.tellInvitationSent(ctx, tx, created)
}

// ListInvitations returns a page of an organization's invitations, with the states they have now, and the token of the
// next one.
func (a *App) ListInvitations(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.Invitation, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.Invitations.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListInvitations(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, a.Clock.Now(), query)
}

// RevokeInvitation takes back a pending invitation.
func (a *App) RevokeInvitation(ctx context.Context, tx *pg.Tx, organizationID, invitationID id.ID) (domain.Invitation, error) {
	current, err := store.LockInvitation(ctx, tx, organizationID, invitationID)
	if err != nil {
		return domain.Invitation{}, err
	}
	return a.settle(ctx, tx, current, domain.Revoked)
}

// ResendInvitation mails a pending invitation again: with a new token and another week. As that gives the role anew,
// whoever resends must be able to give it, and is the inviter from then on.
func (a *App) ResendInvitation(ctx context.Context, tx *pg.Tx, organizationID, invitationID id.ID) (domain.Invitation, error) {
	actor, err := a.lockAccess(ctx, tx, organizationID)
	if err != nil {
		return domain.Invitation{}, err
	}
	current, err := store.LockInvitation(ctx, tx, organizationID, invitationID)
	if err != nil {
		return domain.Invitation{}, err
	}
	if err := a.coversRole(&actor, current.RoleID); err != nil {
		return domain.Invitation{}, err
	}
	if err := actor.checkInvitationDomain("", current.Email); err != nil {
		return domain.Invitation{}, err
	}
	now := a.Clock.Now()
	if err := current.CheckPending(now); err != nil {
		return domain.Invitation{}, err
	}
	resent := current.Resend(actor.subjectID, now)
	if err := store.UpdateInvitation(ctx, tx, resent); err != nil {
		return domain.Invitation{}, err
	}
	if err := store.UpdateInvitationToken(ctx, tx, organizationID, invitationID, a.Tokens.Hash(invitationID, resent.Sending)); err != nil {
		return domain.Invitation{}, err
	}
	return resent, a.tellInvitationSent(ctx, tx, resent)
}

// Answer is what somebody with an invitation's token is about to do.
type Answer struct {
	token        string
	person       domain.Person
	invitationID id.ID
	// registering says that they are making their account with it: another service asks for them, there is no login yet, and
	// nothing that they could do before they have one.
	registering bool
	// OrganizationID is where the token leads.
	OrganizationID id.ID
}

// FindInvitation finds out where a token leads and who holds it. It comes before the transaction, because it asks
// another service.
func (a *App) FindInvitation(ctx context.Context, token string) (Answer, error) {
	organizationID, invitationID, err := store.FindInvitation(ctx, a.DB.Point(pg.ScopeOf(ctx)), HashToken(token))
	if err != nil {
		return Answer{}, err
	}
	person, err := a.Directory.GetPerson(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return Answer{}, err
	}
	return Answer{token: token, person: person, invitationID: invitationID, OrganizationID: organizationID}, nil
}

// lockAnswered enters the organization of the invitation, locks both, and refuses whoever may not answer. The token is
// looked at again: the invitation may have been sent anew while this waited for the lock.
func (a *App) lockAnswered(ctx context.Context, tx *pg.Tx, answer Answer) (domain.Invitation, error) {
	if err := store.EnterOrganization(ctx, tx, answer.OrganizationID); err != nil {
		return domain.Invitation{}, err
	}
	if err := store.LockAccess(ctx, tx, answer.OrganizationID); err != nil {
		return domain.Invitation{}, err
	}
	current, err := store.LockInvitation(ctx, tx, answer.OrganizationID, answer.invitationID)
	if err != nil {
		return domain.Invitation{}, err
	}
	if !a.Tokens.matches(answer.token, current.ID, current.Sending) {
		return domain.Invitation{}, errs.ErrNotFound
	}
	return current, current.CheckInvited(answer.person)
}

// AcceptInvitation makes the invited person a member. What the inviter holds is looked at under the organization's
// lock: what an invitation gives is at no time more than its inviter may give.
func (a *App) AcceptInvitation(ctx context.Context, tx *pg.Tx, answer Answer) (domain.Membership, error) {
	current, err := a.lockAnswered(ctx, tx, answer)
	if err != nil {
		return domain.Membership{}, err
	}
	settled, err := a.settle(ctx, tx, current, domain.Accepted)
	if err != nil {
		return domain.Membership{}, err
	}
	inviters, err := a.readHolders(ctx, tx, current.OrganizationID, current.InviterID)
	if err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkInviter(&inviters[0], current.RoleID); err != nil {
		return domain.Membership{}, err
	}
	if err := inviters[0].checkInvitationDomain("", current.Email); err != nil {
		return domain.Membership{}, err
	}
	if !answer.registering {
		if err := a.checkEntrance(ctx, tx, inviters[0].catalog.Policy, current.OrganizationID, answer.person); err != nil {
			return domain.Membership{}, err
		}
	}
	joined := domain.Membership{
		OrganizationID: answer.OrganizationID, Person: answer.person, RoleIDs: []string{current.RoleID},
		JoinedAt: settled.UpdatedAt, Revision: 1,
	}
	if joined.AccessRevision, err = a.raise(ctx, tx, current.OrganizationID, inviters[0].catalog, false); err != nil {
		return domain.Membership{}, err
	}
	return joined, a.addMember(ctx, tx, joined)
}

// checkInviter refuses an invitation to the role when whoever sent it, with what they hold now, may not send it any
// more.
func (a *App) checkInviter(inviter *holder, roleID string) error {
	invites := access.Question{Permission: domain.InvitePermission, Now: a.Clock.Now()}
	if !inviter.Member || inviter.Suspended || !inviter.Decide(&invites).Allowed || a.coversRole(inviter, roleID) != nil {
		return domain.ErrInviterLacksRole
	}
	return nil
}

// RejectInvitation declines for the invited person.
func (a *App) RejectInvitation(ctx context.Context, tx *pg.Tx, answer Answer) error {
	current, err := a.lockAnswered(ctx, tx, answer)
	if err != nil {
		return err
	}
	_, err = a.settle(ctx, tx, current, domain.Rejected)
	return err
}

// settle ends a pending invitation and tells how. The token stays known, so that it is answered with where the
// invitation stands.
func (a *App) settle(ctx context.Context, tx *pg.Tx, current domain.Invitation, state domain.State) (domain.Invitation, error) {
	now := a.Clock.Now()
	if err := current.CheckPending(now); err != nil {
		return domain.Invitation{}, err
	}
	settled := current.Settle(state, now)
	if err := store.UpdateInvitation(ctx, tx, settled); err != nil {
		return domain.Invitation{}, err
	}
	organizationID, invitationID := settled.OrganizationID.String(), settled.ID.String()
	switch state {
	case domain.Accepted:
		return settled, a.tellInvitation(ctx, tx, settled, &organizationv1.InvitationAccepted{
			OrganizationId: organizationID, InvitationId: invitationID, UserId: call.From(ctx).Actor.UserID.String(),
		})
	case domain.Rejected:
		return settled, a.tellInvitation(ctx, tx, settled, &organizationv1.InvitationRejected{
			OrganizationId: organizationID, InvitationId: invitationID,
		})
	default:
		return settled, a.tellInvitation(ctx, tx, settled, &organizationv1.InvitationRevoked{
			OrganizationId: organizationID, InvitationId: invitationID,
		})
	}
}

// InvitationMail is what notification must say in an invitation's mail.
type InvitationMail struct {
	store.InvitationMail
	// Token is empty when the invitation can't be accepted: there is nothing to mail then.
	Token string
}

// GetInvitationMail reads what a mail says and derives its token. The caller is a service, so the organization comes
// from the request.
func (a *App) GetInvitationMail(ctx context.Context, organizationID, invitationID id.ID) (InvitationMail, error) {
	found, err := store.GetInvitationMail(ctx, a.DB.Point(pg.Scope{OrganizationID: organizationID}), organizationID, invitationID)
	if err != nil {
		return InvitationMail{}, err
	}
	inviters, err := a.readHolders(ctx, a.DB.Read(pg.Scope{OrganizationID: organizationID}), organizationID, found.Invitation.InviterID)
	if err != nil {
		return InvitationMail{}, err
	}
	mail := InvitationMail{InvitationMail: found}
	if found.Invitation.State(a.Clock.Now()) == domain.Pending && a.checkInviter(&inviters[0], found.Invitation.RoleID) == nil &&
		inviters[0].checkInvitationDomain("", found.Invitation.Email) == nil {
		mail.Token = a.Tokens.Derive(found.Invitation.ID, found.Invitation.Sending)
	}
	return mail, nil
}
