package app

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/outbox"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// SupportGrants is where organizations let operators in: the organization service. It answers ErrNotFound without a live
// grant.
type SupportGrants interface {
	Find(ctx context.Context, organizationID, operatorID id.ID, role call.OperatorRole) (domain.SupportGrant, error)
}

// FindGrant returns the grant by which the calling operator may act in the name of a member. It comes before the
// transaction, because it asks another service. Without a grant nothing is told of who is a member.
func (a *App) FindGrant(ctx context.Context, organizationID, userID id.ID) (domain.SupportGrant, error) {
	operator := call.From(ctx).Actor
	grant, err := a.SupportGrants.Find(ctx, organizationID, operator.UserID, operator.Operator)
	if err != nil {
		return domain.SupportGrant{}, err
	}
	if err := a.Membership.Authorize(ctx, organizationID, userID, ""); err != nil {
		if errs.KindOf(err) == errs.PermissionDenied {
			err = errs.ErrNotFound // A suspended member does nothing, nor does anybody in their name.
		}
		return domain.SupportGrant{}, err
	}
	return grant, nil
}

// Impersonate has the calling operator act in somebody's name, by a grant that was just found, and returns the token.
func (a *App) Impersonate(ctx context.Context, tx *pg.Tx, by domain.SupportGrant, organizationID, userID id.ID, reason string) (domain.Impersonation, string, error) {
	operator, now := call.From(ctx).Actor, a.Clock.Now()
	begun, err := domain.Impersonate(domain.Impersonation{
		OperatorID: operator.UserID, SessionID: operator.SessionID, UserID: userID, OrganizationID: organizationID, Reason: reason,
	}, by, authn.ImpersonationLife, now)
	if err != nil {
		return domain.Impersonation{}, "", err
	}
	if begun.Over(now) {
		return domain.Impersonation{}, "", errs.ErrNotFound
	}
	count, err := store.CountImpersonations(ctx, tx, operator.UserID, now)
	if err != nil {
		return domain.Impersonation{}, "", err
	}
	if count >= domain.MaxImpersonations {
		return domain.Impersonation{}, "", domain.ErrImpersonationLimit
	}
	if err := store.CreateImpersonation(ctx, tx, begun); err != nil {
		return domain.Impersonation{}, "", err
	}
	accessToken, err := a.Issuer.IssueImpersonation(ctx, begun, operator)
	if err != nil {
		return domain.Impersonation{}, "", err
	}
	return begun, accessToken, tellImpersonation(ctx, tx, a.Clock, begun, &identityv1.ImpersonationStarted{
		ImpersonationId: begun.ID.String(), UserId: begun.UserID.String(), OperatorId: begun.OperatorID.String(),
		OrganizationId: begun.OrganizationID.String(), SupportGrantId: begun.GrantID.String(), Writes: begun.Writes, Reason: begun.Reason,
		ExpireTime: timestamppb.New(begun.ExpiresAt),
	})
}

// EndImpersonation ends one of the calling operator's; one that is over stays as it is.
func (a *App) EndImpersonation(ctx context.Context, tx *pg.Tx, impersonationID id.ID) (domain.Impersonation, error) {
	current, err := store.LockImpersonation(ctx, tx, call.From(ctx).Actor.UserID, impersonationID)
	now := a.Clock.Now()
	if err != nil || current.Over(now) {
		return current, err
	}
	current.EndedAt = now
	if err := store.EndImpersonation(ctx, tx, current); err != nil {
		return domain.Impersonation{}, err
	}
	tx.AfterCommit(func() { a.Authenticator.EndSession(impersonationID) })
	return current, tellImpersonationEnded(ctx, tx, a.Clock, current, false)
}

// ListImpersonations returns a page of the calling operator's and the token of the next.
func (a *App) ListImpersonations(ctx context.Context, request list.Request) (string, []domain.Impersonation, error) {
	operatorID := call.From(ctx).Actor.UserID
	request.Binding = []string{operatorID.String()}
	query, err := store.Impersonations.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListImpersonations(ctx, a.DB.Read(pg.ScopeOf(ctx)), operatorID, query)
}

// EndImpersonationsOfGrant ends those that go on by a grant that has ended. It is for the worker role; each request of
// theirs asks for the grant besides, so nothing waits for it.
func EndImpersonationsOfGrant(ctx context.Context, tx *pg.Tx, organizationID, grantID id.ID, at time.Time) error {
	ended, err := store.EndImpersonationsOfGrant(ctx, tx, organizationID, grantID, at)
	if err != nil {
		return err
	}
	for _, one := range ended {
		if err := tellImpersonationEnded(ctx, tx, clock.NewManual(at), one, true); err != nil {
			return err
		}
	}
	return nil
}

func tellImpersonationEnded(ctx context.Context, tx *pg.Tx, clock clock.Clock, ended domain.Impersonation, withGrant bool) error {
	return tellImpersonation(ctx, tx, clock, ended, &identityv1.ImpersonationEnded{
		ImpersonationId: ended.ID.String(), UserId: ended.UserID.String(), OperatorId: ended.OperatorID.String(),
		OrganizationId: ended.OrganizationID.String(), GrantEnded: withGrant,
	})
}

// tellImpersonation is in order with the person's other events, and in the organization's audit.
func tellImpersonation(ctx context.Context, tx *pg.Tx, clock clock.Clock, about domain.Impersonation, fact proto.Message) error {
	return outbox.Append(ctx, tx, clock, outbox.Event{
		Message: fact, Key: about.UserID, OrganizationID: about.OrganizationID, Subject: "impersonation/" + about.ID.String(),
	})
}
