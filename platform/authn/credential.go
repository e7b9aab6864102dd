package authn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/credential"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

const (
	// credentialLife is how long identity's description of an access token or API key is used without asking again. It is
	// well below the time for which ends are remembered, so that none is forgotten while a description may still be used.
	credentialLife       = AccessTokenLife / 2
	maxCachedCredentials = 50_000
)

// Credential is an access token or API key as identity describes it.
type Credential struct {
	ID id.ID
	// Kind is call.User or call.ServiceAccount, OwnerID the person or the service account.
	Kind    call.ActorKind
	OwnerID id.ID
	Limits  *call.Limits
	Expires time.Time
}

// Credentials asks identity about the credentials of machines.
type Credentials interface {
	// Verify describes the credential with a hash; errs.ErrNotFound for one that is not good.
	Verify(ctx context.Context, hash credential.Hash) (Credential, error)
	// Good says whether a credential is good, and the token that was issued for it, if that is not zero.
	Good(ctx context.Context, credentialID, tokenID id.ID) (bool, error)
}

// described is a credential with when identity was asked about it.
type described struct {
	Credential
	asked time.Time
}

func newCredentialCache() (*otter.Cache[credential.Hash, described], error) {
	cache, err := otter.New(&otter.Options[credential.Hash, described]{MaximumSize: maxCachedCredentials})
	if err != nil {
		return nil, fmt.Errorf("make credential cache: %w", err)
	}
	return cache, nil
}

// authenticateCredential finds out whose an access token or API key is. Where it may be used the chain decides.
func (a *Authenticator) authenticateCredential(ctx context.Context, secret string) (call.Actor, error) {
	hash, ok := credential.Check(secret)
	if !ok || a.Credentials == nil {
		return call.Actor{}, errTokenInvalid
	}
	known, ok := a.described.GetIfPresent(hash)
	// By a clock that was set back a description would be used for longer.
	if age := a.Clock.Now().Sub(known.asked); !ok || age < 0 || age >= credentialLife {
		var err error
		if known, err = a.describe(ctx, hash); err != nil {
			return call.Actor{}, err
		}
	}
	if !a.Clock.Now().Before(known.Expires) {
		return call.Actor{}, errTokenInvalid
	}
	actor := call.Actor{Kind: known.Kind, UserID: known.OwnerID, CredentialID: known.ID, Limits: known.Limits, Token: secret}
	if err := a.checkCredential(ctx, known.ID, id.ID{}, known.asked); err != nil {
		return call.Actor{}, err
	}
	a.noteUse(ctx, actor)
	return actor, nil
}

// describe asks identity; those who ask about the same credential at once share the answer. What is not good is not
// remembered: the budget of the caller's address bounds how often it is asked about.
func (a *Authenticator) describe(ctx context.Context, hash credential.Hash) (described, error) {
	answer := a.describing.DoChan(string(hash[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		asked := a.Clock.Now()
		known, err := a.Credentials.Verify(ctx, hash)
		if err != nil {
			return described{}, err
		}
		a.described.Set(hash, described{known, asked})
		return described{known, asked}, nil
	})
	select {
	case result := <-answer:
		if errors.Is(result.Err, errs.ErrNotFound) {
			return described{}, errTokenInvalid
		}
		if result.Err != nil {
			return described{}, credentialUnavailable(result.Err)
		}
		return result.Val.(described), nil
	case <-ctx.Done():
		return described{}, ctx.Err()
	}
}

// checkCredential refuses what has ended: the credential, or the token that was issued for it. The rules are those of
// sessions: a process that may not have heard of every end asks identity, and refuses without an answer.
func (a *Authenticator) checkCredential(ctx context.Context, credentialID, tokenID id.ID, issued time.Time) error {
	now := a.Clock.Now()
	a.mu.RLock()
	over := a.endings[credentialID].over(now) || a.endings[tokenID].over(now)
	trusted := a.distrusted.IsZero() || issued.After(a.distrusted.Add(ClockLeeway))
	a.mu.RUnlock()
	if over {
		return errTokenInvalid
	}
	if trusted && a.Fresh() {
		return nil
	}
	shown := credentialID
	if !tokenID.IsZero() {
		shown = tokenID
	}
	if asked, ok := a.answers.GetIfPresent(shown); ok {
		if age := now.Sub(asked); age >= 0 && age < answerLife {
			return nil
		}
	}
	if a.Credentials == nil {
		return errTokenInvalid
	}
	good, err := a.ask(ctx, shown, func(ctx context.Context) (bool, error) {
		return a.Credentials.Good(ctx, credentialID, tokenID)
	})
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return credentialUnavailable(err)
	case !good:
		a.EndCredential(shown)
		return errTokenInvalid
	}
	return nil
}

func credentialUnavailable(cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	return errs.New(errs.Unavailable, "UNAVAILABLE", "Your token can't be checked at this moment.").WithCause(cause)
}

// ending is when a credential, or a token that was issued for one, ends before its time.
type ending struct {
	// at is zero for at once.
	at    time.Time
	heard time.Time
}

func (e ending) over(now time.Time) bool { return !e.heard.IsZero() && !now.Before(e.at) }

// EndCredential refuses a credential or issued token from now on: called by the broadcast reader, and by identity right
// after the commit that ended it.
func (a *Authenticator) EndCredential(ended id.ID) { a.EndCredentialAt(ended, time.Time{}) }

// EndCredentialAt refuses a credential from a time on that may be earlier than what is remembered of it. Endings are
// forgotten when nothing that was remembered before can still be used.
func (a *Authenticator) EndCredentialAt(ended id.ID, at time.Time) {
	now := a.Clock.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	known, before := a.endings[ended]
	if before && (known.at.IsZero() || !at.IsZero() && known.at.Before(at)) {
		return
	}
	a.endings[ended] = ending{at: at, heard: now}
	a.asking.Forget(ended.String())
	a.answers.Invalidate(ended)
	if len(a.endings)%1024 != 0 {
		return
	}
	for one, known := range a.endings {
		if now.Sub(known.heard) > AccessTokenLife+ClockLeeway {
			delete(a.endings, one)
		}
	}
}

// hearCredential notes the credentials that an event says have ended, or will.
func (a *Authenticator) hearCredential(event bus.Event) error {
	var ended string
	var at time.Time
	var err error
	switch event.Type {
	case "identity.access_token.revoked":
		message := &identityv1.AccessTokenRevoked{}
		err, ended = event.Unmarshal(message), message.GetAccessTokenId()
	case "identity.api_key.revoked":
		message := &identityv1.ApiKeyRevoked{}
		err, ended = event.Unmarshal(message), message.GetKeyId()
	case "identity.oauth_token.revoked":
		message := &identityv1.OauthTokenRevoked{}
		err, ended = event.Unmarshal(message), message.GetTokenId()
	case "identity.access_token.rotated":
		message := &identityv1.AccessTokenRotated{}
		err = event.Unmarshal(message)
		ended, at = message.GetAccessTokenId(), message.GetExpireTime().AsTime()
	case "identity.api_key.rotated":
		message := &identityv1.ApiKeyRotated{}
		err = event.Unmarshal(message)
		ended, at = message.GetKeyId(), message.GetExpireTime().AsTime()
	default:
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	credentialID, err := id.Parse(ended)
	if err != nil {
		return fmt.Errorf("read %s: credential: %w", event.Type, err)
	}
	a.EndCredentialAt(credentialID, at)
	return nil
}

// machineOf reads the claims of a token that was issued for a key; false for a person's.
func machineOf(claims *Claims) (verified, bool, error) {
	if claims.ClientID == "" {
		return verified{}, false, nil
	}
	ownerID, ownerErr := id.Parse(claims.ClientID)
	organizationID, organizationErr := id.Parse(claims.OrganizationID)
	credentialID, credentialErr := id.Parse(claims.KeyID)
	tokenID, tokenErr := id.Parse(claims.ID)
	makerID, makerErr := id.Parse(claims.MakerID)
	if err := errors.Join(ownerErr, organizationErr, credentialErr, tokenErr, makerErr); err != nil {
		return verified{}, true, err
	}
	if claims.Subject != claims.ClientID || claims.SessionID != "" {
		return verified{}, true, errors.New("the token is neither a person's nor a client's")
	}
	networks, err := ParseNetworks(claims.Networks)
	if err != nil {
		return verified{}, true, err
	}
	limits := &call.Limits{OrganizationID: organizationID, Scopes: call.NewScopes(claims.Scopes()), Networks: networks, MakerID: makerID}
	return verified{
		actor:   call.Actor{Kind: call.ServiceAccount, UserID: ownerID, CredentialID: credentialID, Limits: limits},
		tokenID: tokenID,
	}, true, nil
}

// ParseNetworks reads networks in CIDR form.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("read network: %w", err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}
