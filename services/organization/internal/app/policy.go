package app

import (
	"context"
	"errors"
	"slices"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// GetPolicy returns what an organization asks of everybody who acts in it.
func (a *App) GetPolicy(ctx context.Context, organizationID id.ID) (domain.Policy, error) {
	return store.GetPolicy(ctx, a.DB.Point(pg.ScopeOf(ctx)), organizationID)
}

// PolicyChange holds what is to change; nil leaves a value as it is.
type PolicyChange struct {
	SecondFactor  *bool
	GraceDays     *int32
	SessionMaxAge *int32
	// SessionMaxPause is in seconds, as SessionMaxAge.
	SessionMaxPause *int32
	// Networks and InvitationDomains are as the caller wrote them.
	Networks          *[]string
	InvitationDomains *[]string
	APIKeys           *bool
	Etag              string
}

func (c PolicyChange) apply(policy domain.Policy) (domain.Policy, error) {
	set(&policy.SecondFactor, c.SecondFactor)
	set(&policy.GraceDays, c.GraceDays)
	set(&policy.SessionMaxAge, c.SessionMaxAge)
	set(&policy.SessionMaxPause, c.SessionMaxPause)
	set(&policy.APIKeys, c.APIKeys)
	if c.InvitationDomains != nil {
		policy.InvitationDomains = domain.CleanDomains(*c.InvitationDomains)
	}
	if c.Networks == nil {
		return policy, nil
	}
	var err error
	policy.Networks, err = domain.CleanNetworks("policy.allowedNetworks", *c.Networks)
	return policy, err
}

// set writes a value that is to change.
func set[T any](value, wanted *T) {
	if wanted != nil {
		*value = *wanted
	}
}

// UpdatePolicy changes the policy. It is a change of who may do what, so every process hears of it as of those. One that
// changes nothing is none.
func (a *App) UpdatePolicy(ctx context.Context, tx *pg.Tx, organizationID id.ID, change PolicyChange) (domain.Policy, error) {
	actor, err := a.lockAccessAsMember(ctx, tx, organizationID)
	if err != nil {
		return domain.Policy{}, err
	}
	current := actor.catalog.Policy
	if err := domain.CheckEtag(change.Etag, current.Revision); err != nil {
		return domain.Policy{}, err
	}
	updated, err := change.apply(current)
	if err != nil {
		return domain.Policy{}, err
	}
	if updated.AsksAs(current) {
		current.AccessRevision = actor.catalog.AccessRevision
		return current, nil
	}
	updated = updated.Follow(current, a.Clock.Now())
	if err := a.checkMeets(ctx, &actor, current, updated); err != nil {
		return domain.Policy{}, err
	}
	if err := store.SavePolicy(ctx, tx, organizationID, updated); err != nil {
		return domain.Policy{}, err
	}
	if updated.AccessRevision, err = a.raise(ctx, tx, organizationID, actor.catalog, false); err != nil {
		return domain.Policy{}, err
	}
	told, err := a.toldOwners(ctx, tx, organizationID)
	if err != nil {
		return domain.Policy{}, err
	}
	tx.AfterCommit(func() { a.DropOrganization(organizationID) })
	return updated, a.tell(ctx, tx, organizationID, "policy/"+organizationID.String(), &organizationv1.PolicyUpdated{
		OrganizationId: organizationID.String(), Policy: EncodePolicy(updated), AccessRevision: updated.AccessRevision, OwnerIds: told,
	})
}

// checkMeets refuses a policy that whoever sets it would not meet. Networks that stay as they are do not count: an owner
// whom they lock out may change the rest, too.
func (a *App) checkMeets(ctx context.Context, actor *holder, current, updated domain.Policy) error {
	asked, err := authz.PolicyOf(EncodePolicy(updated))
	if err != nil {
		return err
	}
	work := call.From(ctx)
	err = asked.Check(&authz.Caller{
		Actor: work.Actor, Address: work.ClientAddress, JoinedAt: actor.answer.JoinedAt, Now: a.Clock.Now(),
		AnyAddress: slices.Equal(current.Networks, updated.Networks),
	})
	var forbidden *errs.Error
	if !errors.As(err, &forbidden) {
		return err
	}
	refusal := domain.ErrPolicyLocksOut.WithCause(err)
	for fact, value := range forbidden.Metadata {
		refusal = refusal.With(fact, value)
	}
	return refusal
}

// checkInvitationDomain refuses an address that the policy, as it is at this moment, does not let anybody invite. field is
// how the request spells the address, empty when it doesn't.
func (h *holder) checkInvitationDomain(field, email string) error {
	return h.catalog.Policy.CheckInvited(field, email)
}

// EncodePolicy spells a policy as the contract does.
func EncodePolicy(policy domain.Policy) *organizationv1.Policy {
	encoded := &organizationv1.Policy{
		SecondFactor: organizationv1.Policy_OPTIONAL, SecondFactorGraceDays: policy.GraceDays,
		SecondFactorTime: encodeTime(policy.SecondFactorSince), SessionMaxAge: policy.SessionMaxAge, SessionMaxPause: policy.SessionMaxPause, AllowedNetworks: policy.Networks,
		InvitationDomains: policy.InvitationDomains, ApiKeys: organizationv1.Policy_ALLOWED, UpdateTime: encodeTime(policy.UpdatedAt),
		Etag: domain.Etag(policy.Revision), AccessRevision: EncodeRevision(policy.AccessRevision),
	}
	if policy.SecondFactor {
		encoded.SecondFactor = organizationv1.Policy_REQUIRED
	}
	if !policy.APIKeys {
		encoded.ApiKeys = organizationv1.Policy_FORBIDDEN
	}
	return encoded
}
