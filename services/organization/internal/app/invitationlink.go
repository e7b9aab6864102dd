package app

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// CreateInvitationLink makes a link and returns its token, which is kept as a hash only. Nobody makes a link to a role
// that they could not give themselves.
func (a *App) CreateInvitationLink(ctx context.Context, tx *pg.Tx, organizationID id.ID, wanted domain.InvitationLink) (link domain.InvitationLink, token string, err error) {
	if wanted.EmailDomain != "" {
		if wanted.EmailDomain, err = domainName("emailDomain", wanted.EmailDomain); err != nil {
			return domain.InvitationLink{}, "", err
		}
	}
	wanted.OrganizationID, wanted.CreatorID = organizationID, call.From(ctx).Actor.UserID
	if link, err = domain.NewInvitationLink(wanted, a.Clock.Now()); err != nil {
		return domain.InvitationLink{}, "", err
	}
	// The organization's lock makes the count exact.
	creator, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.InvitationLink{}, "", err
	}
	if err := a.checkRoles(&creator, "roleId", link.RoleID); err != nil {
		return domain.InvitationLink{}, "", err
	}
	if err := a.coversRole(&creator, link.RoleID); err != nil {
		return domain.InvitationLink{}, "", err
	}
	if link.EmailDomain != "" {
		if err := creator.checkInvitationDomain("emailDomain", "anybody@"+link.EmailDomain); err != nil {
			return domain.InvitationLink{}, "", err
		}
	}
	count, err := store.CountInvitationLinks(ctx, tx, organizationID)
	if err != nil {
		return domain.InvitationLink{}, "", err
	}
	if err := domain.CheckLimit("invitation links", count, domain.MaxInvitationLinks); err != nil {
		return domain.InvitationLink{}, "", err
	}
	token = randomToken()
	if err := store.InsertInvitationLink(ctx, tx, link, HashToken(token)); err != nil {
		return domain.InvitationLink{}, "", err
	}
	return link, token, a.tell(ctx, tx, organizationID, "invitation-link/"+link.ID.String(), &organizationv1.InvitationLinkCreated{
		OrganizationId: organizationID.String(), InvitationLinkId: link.ID.String(), RoleId: link.RoleID, MaxUses: link.MaxUses,
	})
}

// randomToken returns 256 random bits as text.
func randomToken() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // It never fails: the process ends first.
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// ListInvitationLinks returns a page of an organization's links and the token of the next one.
func (a *App) ListInvitationLinks(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.InvitationLink, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.InvitationLinks.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListInvitationLinks(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, a.Clock.Now(), query)
}

// RevokeInvitationLink ends a link; one that has ended already stays as it is.
func (a *App) RevokeInvitationLink(ctx context.Context, tx *pg.Tx, organizationID, linkID id.ID) (domain.InvitationLink, error) {
	link, err := store.LockInvitationLink(ctx, tx, organizationID, linkID)
	if err != nil || link.State(a.Clock.Now()) != domain.LinkActive {
		return link, err
	}
	link.RevokedAt = a.Clock.Now()
	if err := store.UpdateInvitationLink(ctx, tx, link); err != nil {
		return domain.InvitationLink{}, err
	}
	return link, a.tell(ctx, tx, organizationID, "invitation-link/"+linkID.String(), &organizationv1.InvitationLinkRevoked{
		OrganizationId: organizationID.String(), InvitationLinkId: linkID.String(),
	})
}

// LinkUse is somebody with a link's token, about to use it.
type LinkUse struct {
	person         domain.Person
	organizationID id.ID
	linkID         id.ID
}

// FindInvitationLink finds out where a link leads and who holds it. It comes before the transaction, because it asks
// another service.
func (a *App) FindInvitationLink(ctx context.Context, token string) (LinkUse, error) {
	organizationID, linkID, err := store.FindInvitationLink(ctx, a.DB.Point(pg.ScopeOf(ctx)), HashToken(token))
	if err != nil {
		return LinkUse{}, err
	}
	person, err := a.Directory.GetPerson(ctx, call.From(ctx).Actor.UserID)
	return LinkUse{person: person, organizationID: organizationID, linkID: linkID}, err
}

// AcceptInvitationLink makes the holder of a link a member. The link's lock makes its uses exact, and the
// organization's keeps what its maker may give until the member is there.
func (a *App) AcceptInvitationLink(ctx context.Context, tx *pg.Tx, use LinkUse) (domain.Membership, error) {
	if err := store.EnterOrganization(ctx, tx, use.organizationID); err != nil {
		return domain.Membership{}, err
	}
	if err := store.LockAccess(ctx, tx, use.organizationID); err != nil {
		return domain.Membership{}, err
	}
	link, err := store.LockInvitationLink(ctx, tx, use.organizationID, use.linkID)
	if err != nil {
		return domain.Membership{}, err
	}
	now := a.Clock.Now()
	if err := link.CheckUse(use.person, now); err != nil {
		return domain.Membership{}, err
	}
	creators, err := a.readHolders(ctx, tx, use.organizationID, link.CreatorID)
	if err != nil {
		return domain.Membership{}, err
	}
	if a.checkInviter(&creators[0], link.RoleID) != nil {
		return domain.Membership{}, domain.ErrLinkNotActive.With("state", "ACTIVE").
			WithMessage("Whoever made the link may no longer give its role.")
	}
	if err := creators[0].checkInvitationDomain("", use.person.Email); err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkRemoved(ctx, tx, use.organizationID, use.person.UserID, link.CreatedAt); err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkEntrance(ctx, tx, creators[0].catalog.Policy, use.organizationID, use.person); err != nil {
		return domain.Membership{}, err
	}
	link.Uses++
	if err := store.UpdateInvitationLink(ctx, tx, link); err != nil {
		return domain.Membership{}, err
	}
	if err := a.tell(ctx, tx, use.organizationID, "invitation-link/"+link.ID.String(), &organizationv1.InvitationLinkUsed{
		OrganizationId: use.organizationID.String(), InvitationLinkId: link.ID.String(), UserId: use.person.UserID.String(), Uses: link.Uses,
	}); err != nil {
		return domain.Membership{}, err
	}
	joined := domain.Membership{
		OrganizationID: use.organizationID, Person: use.person, RoleIDs: []string{link.RoleID}, JoinedAt: now, Revision: 1,
	}
	if joined.AccessRevision, err = a.raise(ctx, tx, use.organizationID, creators[0].catalog, false); err != nil {
		return domain.Membership{}, err
	}
	return joined, a.addMember(ctx, tx, joined)
}
