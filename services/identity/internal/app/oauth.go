package app

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/authn"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// ClientProof is what a client shows of itself: its id with a secret, or an assertion.
type ClientProof struct {
	ClientID  string
	Secret    string
	Assertion string
}

// TokenPath is where assertions are shown; its address is one of the audiences that they may name.
const TokenPath = "/oauth2/token"

// AuthenticateClient returns the key that a client has proven to hold, from an address that it is good from. Why it is not
// good stays unsaid.
func (a *App) AuthenticateClient(ctx context.Context, proof ClientProof) (domain.MachineCredential, error) {
	find := a.clientBySecret
	if proof.Assertion != "" {
		find = a.clientByAssertion
	}
	key, err := find(ctx, proof)
	if errors.Is(err, errs.ErrNotFound) {
		return domain.MachineCredential{}, domain.ErrInvalidClient
	}
	if err != nil {
		return domain.MachineCredential{}, err
	}
	networks, err := authn.ParseNetworks(key.Networks)
	if err != nil {
		return domain.MachineCredential{}, err
	}
	if !(&call.Limits{Networks: networks}).Admits(clientAddress(ctx)) {
		return domain.MachineCredential{}, domain.ErrInvalidClient
	}
	a.Authenticator.NoteUse(key.ID, clientAddress(ctx))
	return key, nil
}

func clientAddress(ctx context.Context) netip.Addr { return call.From(ctx).ClientAddress }

func (a *App) clientBySecret(ctx context.Context, proof ClientProof) (domain.MachineCredential, error) {
	hash, ok := credential.Check(proof.Secret)
	if !ok {
		return domain.MachineCredential{}, domain.ErrInvalidClient
	}
	key, err := a.VerifyCredential(ctx, hash[:])
	if err != nil {
		return domain.MachineCredential{}, err
	}
	// A person's access token is no client's secret.
	if key.Owner.ServiceAccountID.IsZero() || key.Owner.ServiceAccountID.String() != proof.ClientID {
		return domain.MachineCredential{}, domain.ErrInvalidClient
	}
	key.Owner.OrganizationID = key.OrganizationID
	return key, nil
}

func (a *App) clientByAssertion(ctx context.Context, proof ClientProof) (domain.MachineCredential, error) {
	assertion, err := token.ReadAssertion(proof.Assertion)
	if err != nil || proof.ClientID != "" && proof.ClientID != assertion.ClientID.String() {
		return domain.MachineCredential{}, domain.ErrInvalidClient.WithCause(err)
	}
	key, err := store.FindClientKey(ctx, a.DB.Point(pg.Scope{}), assertion.KeyID, assertion.ClientID)
	if err != nil {
		return domain.MachineCredential{}, err
	}
	now := a.Clock.Now()
	if !now.Before(key.ExpiresAt) {
		return domain.MachineCredential{}, domain.ErrInvalidClient
	}
	hash, until, err := assertion.Verify(*key.PublicKey, []string{a.PublicURL, a.PublicURL + TokenPath}, now)
	if err != nil {
		return domain.MachineCredential{}, domain.ErrInvalidClient.WithCause(err)
	}
	// Not found says that it was used before: of two at once one is the first.
	err = a.DB.InTx(ctx, pg.Scope{OrganizationID: key.OrganizationID}, func(ctx context.Context, tx *pg.Tx) error {
		return store.UseAssertion(ctx, tx, key, hash, until)
	})
	return key, err
}

// MachineToken is an access token that was issued for a key.
type MachineToken struct {
	Text   string
	Life   time.Duration
	Scopes []string
}

// IssueMachineToken trades a client's proof for an access token with scopes of its key: those that it asks for, or all.
func (a *App) IssueMachineToken(ctx context.Context, key domain.MachineCredential, scope string) (MachineToken, error) {
	scopes, err := key.Narrow(strings.Fields(scope))
	if err != nil {
		return MachineToken{}, err
	}
	// A service account that the organization has not heard of yet is refused nothing here, and may nothing.
	err = a.Membership.AcceptsKeys(ctx, key.OrganizationID, key.Owner.ServiceAccountID)
	if err != nil && errs.KindOf(err) != errs.NotFound {
		return MachineToken{}, err
	}
	text, life, err := a.Issuer.IssueMachine(ctx, a.PublicURL, key, scopes)
	return MachineToken{text, life, scopes}, err
}

// Introspection is what a token is worth. The zero value is a token that is not good.
type Introspection struct {
	Active    bool
	ClientID  string
	Scopes    []string
	TokenID   string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Introspect says what a machine's token is worth at this moment, to a client of the same organization. Of any other token
// it says nothing.
func (a *App) Introspect(ctx context.Context, client domain.MachineCredential, text string) (Introspection, error) {
	if hash, ok := credential.Check(text); ok {
		key, err := a.VerifyCredential(ctx, hash[:])
		if errors.Is(err, errs.ErrNotFound) || err == nil && (key.Owner.ServiceAccountID.IsZero() || key.OrganizationID != client.OrganizationID) {
			return Introspection{}, nil
		}
		return Introspection{
			Active: err == nil, ClientID: key.Owner.ServiceAccountID.String(), Scopes: key.Scopes, TokenID: key.ID.String(),
			IssuedAt: key.CreatedAt, ExpiresAt: key.ExpiresAt,
		}, err
	}
	claims, err := a.machineToken(ctx, text)
	if err != nil || claims == nil || claims.OrganizationID != client.OrganizationID.String() {
		return Introspection{}, err
	}
	good, err := a.IsCredentialGood(ctx, id.ParseOrZero(claims.KeyID), id.ParseOrZero(claims.ID))
	if err != nil || !good {
		return Introspection{}, err
	}
	return Introspection{
		Active: true, ClientID: claims.ClientID, Scopes: claims.Scopes(), TokenID: claims.ID,
		IssuedAt: claims.IssuedAt.UTC(), ExpiresAt: claims.ExpiresAt.UTC(),
	}, nil
}

// machineToken returns the claims of a token that was issued for a key and is good; nil for any other text.
func (a *App) machineToken(ctx context.Context, text string) (*authn.Claims, error) {
	// To ask about a token is no use of it: the address that is noted is that of a use.
	actor, err := a.Authenticator.AuthenticateUser(call.With(ctx, &call.Call{}), text)
	switch {
	case errs.KindOf(err) == errs.Unauthenticated && err != nil:
		return nil, nil
	case err != nil:
		return nil, err
	case actor.Kind != call.ServiceAccount:
		return nil, nil
	}
	return token.ReadClaims(text)
}

// RevokeMachineToken ends a token before its time. What is no token any more is fine (RFC 7009 section 2.2); one that was
// issued to another client is refused.
func (a *App) RevokeMachineToken(ctx context.Context, client domain.MachineCredential, text string) error {
	if credential.Claims(text) {
		return domain.ErrInvalidRequest.WithMessage("Keys end where they are made; only issued tokens are revoked here.")
	}
	claims, err := a.machineToken(ctx, text)
	if err != nil || claims == nil {
		return err
	}
	if claims.ClientID != client.Owner.ServiceAccountID.String() {
		return domain.ErrInvalidRequest.WithMessage("The token was issued to another client.")
	}
	acting := *call.From(ctx)
	acting.Actor = call.Actor{Kind: call.ServiceAccount, UserID: client.Owner.ServiceAccountID, CredentialID: client.ID}
	ctx = call.With(ctx, &acting)
	tokenID, keyID := id.ParseOrZero(claims.ID), id.ParseOrZero(claims.KeyID)
	return a.DB.InTx(ctx, pg.Scope{OrganizationID: client.OrganizationID}, func(ctx context.Context, tx *pg.Tx) error {
		news, err := store.RevokeToken(ctx, tx, tokenID, client.OrganizationID, keyID, claims.ExpiresAt.UTC())
		if err != nil || !news {
			return err
		}
		tx.AfterCommit(func() { a.Authenticator.EndCredential(tokenID) })
		return a.oauthTokenRevoked(ctx, tx, client.Owner, keyID, tokenID)
	})
}
