package app

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// NewCredential is a credential of a machine with its secret, which nobody can show again.
type NewCredential struct {
	domain.MachineCredential
	// Secret is empty for a key with a public half.
	Secret string
}

// CheckMembership refuses an organization that the caller is no member of, as one that does not exist. It asks another
// service, so no transaction may be open.
func (a *App) CheckMembership(ctx context.Context, organizationID id.ID) error {
	if organizationID.IsZero() {
		return nil
	}
	userID := call.From(ctx).Actor.UserID
	if err := a.Membership.Authorize(ctx, organizationID, userID, ""); err != nil {
		return err
	}
	return a.Membership.AcceptsKeys(ctx, organizationID, userID)
}

// CheckTokenOrganization is CheckMembership for a token that there is: rotated, it begins anew.
func (a *App) CheckTokenOrganization(ctx context.Context, tokenID id.ID) error {
	token, err := a.GetMachineCredential(ctx, domain.MachineOwner{UserID: call.From(ctx).Actor.UserID}, tokenID)
	if err != nil {
		return err
	}
	return a.CheckMembership(ctx, token.OrganizationID)
}

// CheckScopes refuses scopes for a key that the caller does not hold in the whole organization: who makes a key holds its
// secret, and would have by it what they have not. Names that are none are left to those who read the draft. It asks
// another service, so no transaction may be open.
func (a *App) CheckScopes(ctx context.Context, organizationID id.ID, scopes []string) error {
	if err := a.Membership.AcceptsKeys(ctx, organizationID, call.From(ctx).Actor.UserID); err != nil {
		return err
	}
	for _, scope := range scopes {
		for _, permission := range domain.PermissionsOf(scope, a.Permissions) {
			err := a.Membership.Authorize(ctx, organizationID, call.From(ctx).Actor.UserID, permission)
			if errs.KindOf(err) == errs.PermissionDenied && errs.From(err).Reason == "PERMISSION_DENIED" {
				return domain.ErrGrantExceedsOwn.With("scope", scope).With("permission", permission)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckKeyScopes is CheckScopes for a key that there is.
func (a *App) CheckKeyScopes(ctx context.Context, owner domain.MachineOwner, keyID id.ID) error {
	key, err := a.GetMachineCredential(ctx, owner, keyID)
	if err != nil {
		return err
	}
	return a.CheckScopes(ctx, owner.OrganizationID, key.Scopes)
}

// MakingLogin is the caller's login, for a token that they make.
func MakingLogin(ctx context.Context) domain.MakingLogin {
	login := call.From(ctx).Actor.Login()
	return domain.MakingLogin{Time: login.Known(), Methods: login.Methods.Names(), ConnectionID: login.Passed, BrokeGlass: login.BrokeGlass}
}

// CreateMachineCredential makes an access token or a key.
func (a *App) CreateMachineCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, draft domain.MachineCredentialDraft) (NewCredential, error) {
	made, err := domain.NewMachineCredential(owner, draft, a.Permissions, a.Clock.Now())
	if err != nil {
		return NewCredential{}, err
	}
	if err := a.lockOwner(ctx, tx, owner); err != nil {
		return NewCredential{}, err
	}
	issued, err := a.keepCredential(ctx, tx, made)
	if err != nil {
		return NewCredential{}, err
	}
	return issued, a.credentialCreated(ctx, tx, made)
}

// lockOwner finds the owner and keeps others from giving it credentials, or from removing it, until the transaction ends.
// A person's session must be there still: a reset of the password that ends it ends the tokens, and none comes after it.
func (a *App) lockOwner(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner) (err error) {
	if !owner.UserID.IsZero() {
		if _, err = store.LockSession(ctx, tx, owner.UserID, call.From(ctx).Actor.SessionID, a.Clock.Now()); err != nil {
			return err
		}
		_, err = store.LockUser(ctx, tx, owner.UserID)
		return err
	}
	_, err = store.LockServiceAccount(ctx, tx, owner.OrganizationID, owner.ServiceAccountID)
	return err
}

// keepCredential stores a credential of an owner that is locked, with a new secret unless it has a public key.
func (a *App) keepCredential(ctx context.Context, tx *pg.Tx, made domain.MachineCredential) (NewCredential, error) {
	count, err := store.CountMachineCredentials(ctx, tx, made.Owner, a.Clock.Now())
	if err != nil {
		return NewCredential{}, err
	}
	if count >= domain.MaxMachineCredentials {
		return NewCredential{}, domain.ErrCredentialLimit
	}
	if made.PublicKey != nil {
		if err := token.CheckPublicKey(*made.PublicKey); err != nil {
			return NewCredential{}, err
		}
		return NewCredential{MachineCredential: made}, store.CreateMachineCredential(ctx, tx, made, nil)
	}
	kind := credential.APIKey
	if !made.Owner.UserID.IsZero() {
		kind = credential.AccessToken
	}
	secret := credential.New(kind)
	hash, _ := credential.Check(secret)
	return NewCredential{made, secret}, store.CreateMachineCredential(ctx, tx, made, hash[:])
}

// GetMachineCredential returns one of an owner's.
func (a *App) GetMachineCredential(ctx context.Context, owner domain.MachineOwner, credentialID id.ID) (domain.MachineCredential, error) {
	return store.GetMachineCredential(ctx, a.DB.Point(pg.ScopeOf(ctx)), owner, credentialID)
}

// ListMachineCredentials returns a page of an owner's and the token of the next. Of a service account that does not exist
// there is no list.
func (a *App) ListMachineCredentials(ctx context.Context, owner domain.MachineOwner, request list.Request) (string, []domain.MachineCredential, error) {
	request.Binding = []string{owner.UserID.String(), owner.OrganizationID.String(), owner.ServiceAccountID.String()}
	query, err := store.MachineCredentials.Parse(request)
	if err != nil {
		return "", nil, err
	}
	if !owner.ServiceAccountID.IsZero() {
		if _, err := a.GetServiceAccount(ctx, owner.OrganizationID, owner.ServiceAccountID); err != nil {
			return "", nil, err
		}
	}
	return store.ListMachineCredentials(ctx, a.DB.Read(pg.ScopeOf(ctx)), owner, query)
}

// DeleteMachineCredential ends one of an owner's.
func (a *App) DeleteMachineCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, credentialID id.ID) error {
	organizationID, err := store.DeleteMachineCredential(ctx, tx, owner, credentialID)
	if err != nil {
		return err
	}
	return a.endCredential(ctx, tx, owner, organizationID, credentialID)
}

// endAccessTokens ends all access tokens of a person and returns how many there were.
func (a *App) endAccessTokens(ctx context.Context, tx *pg.Tx, userID id.ID) (int, error) {
	ended, err := store.DeleteAccessTokens(ctx, tx, userID)
	if err != nil {
		return 0, err
	}
	for tokenID, organizationID := range ended {
		if err := a.endCredential(ctx, tx, domain.MachineOwner{UserID: userID}, organizationID, tokenID); err != nil {
			return 0, err
		}
	}
	return len(ended), nil
}

// endCredential tells of the end of a credential that was removed, and has this process refuse it right after the commit.
// organizationID is the one it was bound to, zero for none.
func (a *App) endCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, organizationID, credentialID id.ID) error {
	tx.AfterCommit(func() { a.Authenticator.EndCredential(credentialID) })
	return a.credentialRevoked(ctx, tx, owner, organizationID, credentialID)
}

// RotateMachineCredential makes what takes a credential's place. The old one works on for the overlap; without one it
// ends at once.
func (a *App) RotateMachineCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, credentialID id.ID, publicKey *domain.PublicKey, overlap time.Duration) (NewCredential, error) {
	if err := a.lockOwner(ctx, tx, owner); err != nil {
		return NewCredential{}, err
	}
	replaced, err := store.LockMachineCredential(ctx, tx, owner, credentialID)
	if err != nil {
		return NewCredential{}, err
	}
	successor, end, err := replaced.Successor(call.From(ctx).Actor.UserID, MakingLogin(ctx), publicKey, overlap, a.Clock.Now())
	if err != nil {
		return NewCredential{}, err
	}
	if err := a.checkUnrotated(ctx, tx, replaced); err != nil {
		return NewCredential{}, err
	}
	if err := a.retire(ctx, tx, replaced, successor.ID, end, overlap); err != nil {
		return NewCredential{}, err
	}
	issued, err := a.keepCredential(ctx, tx, successor)
	if err != nil {
		return NewCredential{}, err
	}
	return issued, a.credentialRotated(ctx, tx, replaced, successor.ID, end)
}

// checkUnrotated refuses a credential that is locked and was rotated before: of many at once one gets the successor. If that
// was deleted, its secret lost perhaps, there may be another. Whoever deletes the old one instead, before its time, ends the
// old one alone: nobody has had the successor's secret by it.
func (a *App) checkUnrotated(ctx context.Context, tx *pg.Tx, replaced domain.MachineCredential) error {
	if replaced.SuccessorID.IsZero() {
		return nil
	}
	_, err := store.LockMachineCredential(ctx, tx, replaced.Owner, replaced.SuccessorID)
	switch {
	case errors.Is(err, errs.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return domain.ErrCredentialRotated.With("successorId", replaced.SuccessorID.String())
}

func (a *App) retire(ctx context.Context, tx *pg.Tx, replaced domain.MachineCredential, successorID id.ID, end time.Time, overlap time.Duration) error {
	if overlap > 0 {
		tx.AfterCommit(func() { a.Authenticator.EndCredentialAt(replaced.ID, end) })
		return store.RetireMachineCredential(ctx, tx, replaced.ID, successorID, end)
	}
	if _, err := store.DeleteMachineCredential(ctx, tx, replaced.Owner, replaced.ID); err != nil {
		return err
	}
	return a.endCredential(ctx, tx, replaced.Owner, replaced.OrganizationID, replaced.ID)
}

// VerifyCredential returns the credential with a secret's hash; ErrNotFound for one that is unknown or has expired.
func (a *App) VerifyCredential(ctx context.Context, hash []byte) (domain.MachineCredential, error) {
	found, err := store.FindMachineCredential(ctx, a.DB.Point(pg.Scope{}), hash)
	if err == nil && !a.Clock.Now().Before(found.ExpiresAt) {
		err = errs.ErrNotFound
	}
	return found, err
}

// IsCredentialGood says whether a credential has not ended, nor the token that was issued for it, if that is not zero.
func (a *App) IsCredentialGood(ctx context.Context, credentialID, tokenID id.ID) (bool, error) {
	return store.IsCredentialGood(ctx, a.DB.Point(pg.Scope{}), credentialID, tokenID, a.Clock.Now())
}

// RecordUses notes when credentials were last used.
func (a *App) RecordUses(ctx context.Context, uses []authn.Use) error {
	if len(uses) == 0 {
		return nil
	}
	ids, times, addresses := make([]id.ID, len(uses)), make([]time.Time, len(uses)), make([]string, len(uses))
	now := a.Clock.Now()
	for i, use := range uses {
		ids[i], times[i] = use.CredentialID, use.At
		if use.At.After(now) {
			times[i] = now // A clock that is ahead must not keep what follows from being noted.
		}
		if use.Address.IsValid() {
			addresses[i] = use.Address.String()
		}
	}
	return a.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		return store.RecordUses(ctx, tx, ids, times, addresses)
	})
}
