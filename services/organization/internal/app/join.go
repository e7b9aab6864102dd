package app

import (
	"context"
	"errors"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// Joinable is an organization that lets a person in by their address.
type Joinable struct {
	Organization domain.Organization
	Domain       domain.MailDomain
}

// ListJoinable returns the organizations that let a person in. As one organization alone has a domain, it is one or none.
func (a *App) ListJoinable(ctx context.Context, person domain.Person) (joinable []Joinable, err error) {
	err = a.DB.InTx(ctx, pg.ScopeOf(ctx), func(ctx context.Context, tx *pg.Tx) error {
		found, err := a.enterByDomain(ctx, tx, person)
		if errors.Is(err, errs.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		roleIDs, err := store.Roles(ctx, tx, found.OrganizationID, person.UserID)
		if len(roleIDs) > 0 || errors.Is(err, domain.ErrMemberSuspended) {
			return nil
		}
		if err != nil {
			return err
		}
		policy, err := store.GetPolicy(ctx, tx, found.OrganizationID)
		if err != nil || policy.CheckInvited("", person.Email) != nil {
			return err
		}
		err = a.checkRemoved(ctx, tx, found.OrganizationID, person.UserID, time.Time{})
		if errors.Is(err, domain.ErrMemberRemoved) {
			return nil
		}
		if err != nil {
			return err
		}
		organization, err := store.GetOrganization(ctx, tx, found.OrganizationID)
		joinable = []Joinable{{organization, found}}
		return err
	})
	return joinable, err
}

// enterByDomain enters the organization that lets the person in, and holds its domain as it is; nobody who does is
// ErrNotFound. The person is identity's answer: their address is proven.
func (a *App) enterByDomain(ctx context.Context, tx *pg.Tx, person domain.Person) (domain.MailDomain, error) {
	found, err := store.FindVerifiedDomain(ctx, tx, domain.DomainOf(person.Email))
	if err != nil {
		return domain.MailDomain{}, err
	}
	if err := store.EnterOrganization(ctx, tx, found.OrganizationID); err != nil {
		return domain.MailDomain{}, err
	}
	held, err := store.ShareDomain(ctx, tx, found.OrganizationID, found.ID)
	if err == nil && !held.LetsIn(person) {
		err = errs.ErrNotFound
	}
	return held, err
}

// JoinOrganization makes a person a member by their address. One who is a member, which they may know, is told so.
func (a *App) JoinOrganization(ctx context.Context, tx *pg.Tx, organizationID id.ID, person domain.Person) (domain.Membership, error) {
	roleIDs, err := store.Roles(ctx, tx, organizationID, person.UserID)
	if len(roleIDs) > 0 || errors.Is(err, domain.ErrMemberSuspended) {
		return domain.Membership{}, domain.ErrMemberExists.With("userId", person.UserID.String())
	}
	if err != nil {
		return domain.Membership{}, err
	}
	by, err := a.enterByDomain(ctx, tx, person)
	if err != nil {
		return domain.Membership{}, err
	}
	if by.OrganizationID != organizationID {
		return domain.Membership{}, errs.ErrNotFound
	}
	joined := domain.Membership{
		OrganizationID: organizationID, Person: person, RoleIDs: []string{by.AutoJoinRoleID}, JoinedAt: a.Clock.Now(), Revision: 1,
	}
	if joined.AccessRevision, err = store.RaiseAccess(ctx, tx, organizationID); err != nil {
		return domain.Membership{}, err
	}
	call.From(ctx).AccessRevision = joined.AccessRevision
	// Read under the organization's lock: a policy that is being changed is heeded.
	policy, err := store.GetPolicy(ctx, tx, organizationID)
	if err != nil {
		return domain.Membership{}, err
	}
	if err := policy.CheckInvited("", person.Email); err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkRemoved(ctx, tx, organizationID, person.UserID, time.Time{}); err != nil {
		return domain.Membership{}, err
	}
	if err := a.checkEntrance(ctx, tx, policy, organizationID, person); err != nil {
		return domain.Membership{}, err
	}
	if err := a.tell(ctx, tx, organizationID, "member/"+person.UserID.String(), &organizationv1.MemberJoined{
		OrganizationId: organizationID.String(), UserId: person.UserID.String(), DomainId: by.ID.String(),
	}); err != nil {
		return domain.Membership{}, err
	}
	return joined, a.addMember(ctx, tx, joined)
}
