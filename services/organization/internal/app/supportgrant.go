package app

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// CreateSupportGrant lets operators in. Only an owner can, whatever permissions a role of the organization's own has.
func (a *App) CreateSupportGrant(ctx context.Context, tx *pg.Tx, organizationID id.ID, wanted domain.SupportGrant) (domain.SupportGrant, error) {
	now := a.Clock.Now()
	wanted.OrganizationID, wanted.CreatorID = organizationID, call.From(ctx).Actor.UserID
	made, err := domain.NewSupportGrant(wanted, now)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	owner, err := a.lockAccessAsOwner(ctx, tx, organizationID)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	count, err := store.CountLiveSupportGrants(ctx, tx, organizationID, id.ID{}, now)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if err := domain.CheckLimit("support grants", count, domain.MaxSupportGrants); err != nil {
		return domain.SupportGrant{}, err
	}
	if made.AccessRevision, err = a.raise(ctx, tx, organizationID, owner.catalog, false); err != nil {
		return domain.SupportGrant{}, err
	}
	return made, a.addSupportGrant(ctx, tx, made)
}

// BreakGlass lets an operator in whom nobody has asked in. They are no member, so the organization comes from the request.
func (a *App) BreakGlass(ctx context.Context, tx *pg.Tx, organizationID id.ID, reason string) (domain.SupportGrant, error) {
	now, operator := a.Clock.Now(), call.From(ctx).Actor
	if err := domain.CheckSupporter(operator.Operator.String()); err != nil {
		return domain.SupportGrant{}, err
	}
	made := domain.BreakGlass(organizationID, operator.UserID, reason, now)
	if err := store.EnterOrganization(ctx, tx, organizationID); err != nil {
		return domain.SupportGrant{}, err
	}
	organization, err := store.LockOrganization(ctx, tx, organizationID)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if organization.State == domain.Deleting {
		return domain.SupportGrant{}, errs.ErrNotFound
	}
	count, err := store.CountLiveSupportGrants(ctx, tx, organizationID, made.OperatorID, now)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if err := domain.CheckLimit("broken glasses", count, 1); err != nil {
		return domain.SupportGrant{}, err
	}
	if made.AccessRevision, err = store.RaiseAccess(ctx, tx, organizationID); err != nil {
		return domain.SupportGrant{}, err
	}
	call.From(ctx).AccessRevision = made.AccessRevision
	return made, a.addSupportGrant(ctx, tx, made)
}

// addSupportGrant writes a grant and tells of it, the owners among others.
func (a *App) addSupportGrant(ctx context.Context, tx *pg.Tx, made domain.SupportGrant) error {
	if err := store.InsertSupportGrant(ctx, tx, made); err != nil {
		return err
	}
	owners, err := a.ownersToTell(ctx, tx, made.OrganizationID)
	if err != nil {
		return err
	}
	return a.tellSupportGrant(ctx, tx, made, &organizationv1.SupportGrantCreated{
		OrganizationId: made.OrganizationID.String(), SupportGrant: EncodeSupportGrant(made, a.Clock.Now()), OwnerIds: owners,
	})
}

func (a *App) ownersToTell(ctx context.Context, tx *pg.Tx, organizationID id.ID) ([]string, error) {
	owners, err := store.ActiveOwners(ctx, tx, organizationID, toldOwners)
	if err != nil {
		return nil, err
	}
	told := make([]string, 0, len(owners))
	for _, owner := range owners {
		told = append(told, owner.String())
	}
	return told, nil
}

// tellSupportGrant publishes what decides about operators, and has this process forget who may do what right after the
// commit.
func (a *App) tellSupportGrant(ctx context.Context, tx *pg.Tx, about domain.SupportGrant, fact proto.Message) error {
	tx.AfterCommit(func() { a.DropOrganization(about.OrganizationID) })
	return a.tell(ctx, tx, about.OrganizationID, "support_grant/"+about.ID.String(), fact)
}

// lockAccessAsOwner is lockAccess for what an owner alone may do.
func (a *App) lockAccessAsOwner(ctx context.Context, tx *pg.Tx, organizationID id.ID) (holder, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err == nil && !actor.isOwner() {
		err = domain.ErrGrantExceedsOwn.WithMessage("Only an owner can let operators in.")
	}
	return actor, err
}

// GetSupportGrant returns a grant.
func (a *App) GetSupportGrant(ctx context.Context, organizationID, grantID id.ID) (domain.SupportGrant, error) {
	return store.GetSupportGrant(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID, grantID)
}

// ListSupportGrants returns a page of an organization's grants and the token of the next one.
func (a *App) ListSupportGrants(ctx context.Context, organizationID id.ID, request list.Request) (string, []domain.SupportGrant, error) {
	request.Binding = []string{organizationID.String()}
	query, err := store.SupportGrants.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListSupportGrants(ctx, a.DB.Read(pg.ScopeOf(ctx)), organizationID, a.Clock.Now(), query)
}

// SupportGrantChange is what an owner changes of a grant; what is nil stays.
type SupportGrantChange struct {
	Etag    string
	Access  *domain.SupportAccess
	Reason  *string
	Expires *time.Time
}

// UpdateSupportGrant changes a live grant.
func (a *App) UpdateSupportGrant(ctx context.Context, tx *pg.Tx, organizationID, grantID id.ID, change SupportGrantChange) (domain.SupportGrant, error) {
	owner, err := a.lockAccessAsOwner(ctx, tx, organizationID)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	current, err := store.LockSupportGrant(ctx, tx, organizationID, grantID)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if err := domain.CheckEtag(change.Etag, current.Revision); err != nil {
		return domain.SupportGrant{}, err
	}
	changed, err := current.Change(change.Access, change.Reason, change.Expires, a.Clock.Now())
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if changed.AccessRevision, err = a.raise(ctx, tx, organizationID, owner.catalog, false); err != nil {
		return domain.SupportGrant{}, err
	}
	if err := store.UpdateSupportGrant(ctx, tx, changed); err != nil {
		return domain.SupportGrant{}, err
	}
	return changed, a.tellSupportGrant(ctx, tx, changed, &organizationv1.SupportGrantUpdated{
		OrganizationId: organizationID.String(), SupportGrant: EncodeSupportGrant(changed, a.Clock.Now()),
	})
}

// RevokeSupportGrant ends a grant; one that has ended already stays as it is.
func (a *App) RevokeSupportGrant(ctx context.Context, tx *pg.Tx, organizationID, grantID id.ID) (domain.SupportGrant, error) {
	owner, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	current, err := store.LockSupportGrant(ctx, tx, organizationID, grantID)
	now := a.Clock.Now()
	if err != nil || current.State(now) != domain.SupportActive {
		current.AccessRevision = owner.catalog.AccessRevision
		return current, err
	}
	revoked := current.Revoke(owner.subjectID, now)
	if revoked.AccessRevision, err = a.raise(ctx, tx, organizationID, owner.catalog, false); err != nil {
		return domain.SupportGrant{}, err
	}
	if err := store.UpdateSupportGrant(ctx, tx, revoked); err != nil {
		return domain.SupportGrant{}, err
	}
	return revoked, a.tellSupportGrant(ctx, tx, revoked, &organizationv1.SupportGrantRevoked{
		OrganizationId: organizationID.String(), SupportGrantId: grantID.String(),
	})
}

// NoteSupportUse keeps who used a grant last, in whatever order it is heard, and tells the owners of the first. It is for
// the worker role. Of a grant that is gone, with its organization, nothing is kept.
func (a *App) NoteSupportUse(ctx context.Context, tx *pg.Tx, organizationID, grantID, operatorID id.ID, at time.Time) error {
	grant, err := store.LockSupportGrant(ctx, tx, organizationID, grantID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil
	}
	if err != nil || !at.After(grant.LastUsedAt) {
		return err
	}
	first := grant.LastUsedAt.IsZero()
	grant.LastUsedAt, grant.LastOperatorID = at, operatorID
	if err := store.UseSupportGrant(ctx, tx, grant); err != nil || !first {
		return err
	}
	used := &organizationv1.SupportGrantUsed{
		OrganizationId: organizationID.String(), SupportGrantId: grantID.String(), OperatorId: operatorID.String(),
	}
	if grant.Kind == domain.OwnersGrant {
		// Of a broken glass they have been told already.
		if used.OwnerIds, err = a.ownersToTell(ctx, tx, organizationID); err != nil {
			return err
		}
	}
	return a.tell(ctx, tx, organizationID, "support_grant/"+grantID.String(), used)
}

// GetSupportAccess says by which grant an operator is let into an organization; false without a live one. The caller is a
// service, so the organization comes from the request.
func (a *App) GetSupportAccess(ctx context.Context, organizationID, operatorID id.ID, operatorRole string) (domain.SupportGrant, store.Catalog, bool, error) {
	if domain.CheckSupporter(operatorRole) != nil {
		return domain.SupportGrant{}, store.Catalog{}, false, nil
	}
	grant, catalog, err := store.FindSupportAccess(ctx, a.DB.Read(pg.Scope{OrganizationID: organizationID}), organizationID, operatorID, a.Clock.Now())
	if errors.Is(err, errs.ErrNotFound) {
		return domain.SupportGrant{}, store.Catalog{}, false, nil
	}
	return grant, catalog, err == nil, err
}

// GetSupportGrantMail reads what a mail about a grant says, likewise.
func (a *App) GetSupportGrantMail(ctx context.Context, organizationID, grantID id.ID) (domain.SupportGrant, domain.Organization, error) {
	querier := a.DB.Point(pg.Scope{OrganizationID: organizationID})
	grant, err := store.GetSupportGrant(ctx, querier, organizationID, grantID)
	if err != nil {
		return domain.SupportGrant{}, domain.Organization{}, err
	}
	organization, err := store.GetOrganization(ctx, querier, organizationID)
	return grant, organization, err
}

var supportKinds = map[domain.SupportKind]organizationv1.SupportGrant_Kind{
	domain.OwnersGrant: organizationv1.SupportGrant_GRANT, domain.BrokenGlass: organizationv1.SupportGrant_BREAK_GLASS,
}

// SupportAccesses are what grants allow, as the contract spells it.
var SupportAccesses = map[domain.SupportAccess]organizationv1.SupportGrant_Access{
	domain.SupportRead: organizationv1.SupportGrant_READ, domain.SupportWrite: organizationv1.SupportGrant_WRITE,
}

var supportStates = map[domain.SupportState]organizationv1.SupportGrant_State{
	domain.SupportActive: organizationv1.SupportGrant_ACTIVE, domain.SupportRevoked: organizationv1.SupportGrant_REVOKED,
	domain.SupportExpired: organizationv1.SupportGrant_EXPIRED,
}

// EncodeSupportGrant spells a grant with the state that it has at a time.
func EncodeSupportGrant(grant domain.SupportGrant, now time.Time) *organizationv1.SupportGrant {
	return &organizationv1.SupportGrant{
		Id: grant.ID.String(), Kind: supportKinds[grant.Kind], Access: SupportAccesses[grant.Access], Reason: grant.Reason,
		State: supportStates[grant.State(now)], CreatorId: grant.CreatorID.String(), OperatorId: encodeID(grant.OperatorID),
		CreateTime: encodeTime(grant.CreatedAt), ExpireTime: encodeTime(grant.ExpiresAt), RevokeTime: encodeTime(grant.RevokedAt),
		RevokerId: encodeID(grant.RevokerID), LastUseTime: encodeTime(grant.LastUsedAt), LastOperatorId: encodeID(grant.LastOperatorID),
		Etag: domain.Etag(grant.Revision), AccessRevision: EncodeRevision(grant.AccessRevision),
	}
}
