package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/oauth2"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/federation"
	"github.com/braidhq/braid/services/identity/internal/store"
	"github.com/braidhq/braid/services/identity/internal/token"
)

// Providers are who can say who a person is, and how they are asked.
type Providers struct {
	// Own are the deployment's.
	Own    []federation.Provider
	Client *federation.Client
	// RedirectURIs are where a provider may send a browser back to, letter by letter.
	RedirectURIs []string
}

// Begun is a login at a provider that has begun.
type Begun struct {
	AuthorizationURL string
	// BrowserToken is what only the client holds that has begun. It is in no URL, so that a link can't bring it along: who
	// is sent the state and the code of somebody else's login can't finish it.
	BrowserToken string
}

// Returned is what a browser came back with.
type Returned struct{ State, Code, BrowserToken, Issuer string }

// BeginProvider begins a login, or a link when the caller is a user.
func (a *App) BeginProvider(ctx context.Context, source, redirectURI string, userID id.ID) (Begun, error) {
	if !slices.Contains(a.Providers.RedirectURIs, redirectURI) {
		return Begun{}, domain.ErrRedirectForbidden.WithViolation(errs.Violation{
			Field: "redirectUri", Rule: "redirect_uri", Message: "must be one of those in the configuration",
		})
	}
	provider, err := a.provider(ctx, source)
	if err != nil {
		return Begun{}, err
	}
	state, begun := token.NewChallenge(), Begun{BrowserToken: token.NewChallenge()}
	request := federation.Request{RedirectURI: redirectURI, State: state, Nonce: token.NewChallenge(), Verifier: oauth2.GenerateVerifier()}
	kept := domain.ProviderRequest{
		Source: source, Issuer: provider.Issuer, Nonce: request.Nonce, Verifier: request.Verifier, RedirectURI: redirectURI,
		Browser: token.HashChallenge(begun.BrowserToken),
	}
	// Asked before a transaction opens: a provider may take its time.
	if begun.AuthorizationURL, kept.Announced, err = a.Providers.Client.Begin(ctx, provider, request); err != nil {
		return Begun{}, err
	}
	hash := token.HashChallenge(state)
	challenge := domain.Challenge{Kind: domain.ProviderChallenge, UserID: userID, ExpiresAt: a.Clock.Now().Add(domain.ProviderLoginLifetime)}
	if challenge.Ceremony, err = a.sealCeremony(hash, kept); err != nil {
		return Begun{}, err
	}
	return begun, a.DB.InTx(ctx, pg.Scope{UserID: userID}, func(ctx context.Context, tx *pg.Tx) error {
		return store.CreateChallenge(ctx, tx, hash, challenge)
	})
}

// meetPerson uses a login's state up and trades its code for who the person is. The login must have been begun by the user,
// zero for nobody.
func (a *App) meetPerson(ctx context.Context, returned Returned, userID id.ID) (domain.Person, error) {
	hash := token.HashChallenge(returned.State)
	var challenge domain.Challenge
	err := a.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		store.UseChallenge(tx, hash)
		challenge, err = store.LockChallenge(ctx, tx, hash)
		if err != nil {
			return err
		}
		// It is gone whatever follows: a code and a state are shown once.
		return store.DeleteChallenge(ctx, tx, hash)
	})
	if errors.Is(err, errs.ErrNotFound) {
		return domain.Person{}, domain.ErrLoginStateInvalid
	}
	if err != nil {
		return domain.Person{}, err
	}
	if challenge.Check(domain.ProviderChallenge, domain.Client{}, a.Clock.Now()) != nil || challenge.UserID != userID {
		return domain.Person{}, domain.ErrLoginStateInvalid
	}
	var kept domain.ProviderRequest
	if err := a.unsealCeremony(hash, challenge.Ceremony, &kept); err != nil {
		return domain.Person{}, err
	}
	if err := kept.CheckReturn(token.HashChallenge(returned.BrowserToken), returned.Issuer); err != nil {
		return domain.Person{}, err
	}
	provider, err := a.provider(ctx, kept.Source)
	if err != nil {
		return domain.Person{}, err
	}
	if provider.Issuer != kept.Issuer {
		// The connection leads to another provider since: the code is none of its.
		return domain.Person{}, domain.ErrLoginStateInvalid
	}
	return a.Providers.Client.Finish(ctx, provider, federation.Request{
		RedirectURI: kept.RedirectURI, Nonce: kept.Nonce, Verifier: kept.Verifier,
	}, returned.Code)
}

// provider finds who a source names: one of the deployment's, or an organization's connection.
func (a *App) provider(ctx context.Context, source string) (federation.Provider, error) {
	connectionID, foreign := domain.ConnectionOf(source)
	if !foreign {
		at := slices.IndexFunc(a.Providers.Own, func(own federation.Provider) bool { return own.Source == source })
		if at < 0 {
			return federation.Provider{}, domain.ErrProviderUnknown
		}
		return a.Providers.Own[at], nil
	}
	connection, err := store.FindSSOConnection(ctx, a.DB.Point(pg.Scope{}), connectionID)
	if errors.Is(err, errs.ErrNotFound) {
		return federation.Provider{}, domain.ErrProviderUnknown
	}
	if err != nil {
		return federation.Provider{}, err
	}
	return a.openConnection(connection)
}

// sealCeremony hides what is kept of a login from who reads the database, and binds it to its row.
func (a *App) sealCeremony(hash []byte, kept any) ([]byte, error) {
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("encode ceremony: %w", err)
	}
	return a.Keys.Seal(text, append([]byte("provider/"), hash...))
}

func (a *App) unsealCeremony(hash, sealed []byte, into any) error {
	text, err := a.Keys.Unseal(sealed, append([]byte("provider/"), hash...))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return errs.New(errs.Internal, "INTERNAL", "Something went wrong on our side.")
	}
	return nil
}
