// Package authn finds out who calls: it verifies access tokens against identity's public keys and service tokens
// against the other services' keys, and knows which sessions have ended. It mints service tokens; access tokens are
// identity's alone.
package authn

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// AccessTokenLife is how long an access token is good, and so how long an ended session must be remembered.
const AccessTokenLife = 10 * time.Minute

const (
	// Audience and Issuer are what every access token carries.
	Audience = "braid"
	Issuer   = "braid/identity"

	maxCachedTokens = 100_000
	maxTokenLength  = 4096
	askTimeout      = 3 * time.Second
	clockLeeway     = 5 * time.Second
)

var errTokenInvalid = errs.New(errs.Unauthenticated, "TOKEN_INVALID", "The access token is not good: sign in again.")

// Claims are the claims of an access token.
type Claims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid"`
}

// ServiceKey is the public key of a service.
type ServiceKey struct {
	Service string
	Key     ed25519.PublicKey
}

// Config is what an Authenticator is made of.
type Config struct {
	// Service is this service's name, the audience of tokens made for it.
	Service string
	// UserKeys fetches identity's public keys, by key id.
	UserKeys func(ctx context.Context) (map[string]ed25519.PublicKey, error)
	// ServiceKeys are the services' public keys, by key id.
	ServiceKeys map[string]ServiceKey
	// SessionLive asks identity whether a session is live.
	SessionLive func(ctx context.Context, sessionID id.ID) (bool, error)
	// Fresh reports whether every session ended more than a second ago has been heard of.
	Fresh      func() bool
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Authenticator verifies tokens; it implements rpc.Authenticator.
type Authenticator struct {
	Config
	keys     *keySet
	cache    *otter.Cache[[sha256.Size]byte, verified]
	asking   singleflight.Group
	asked    prometheus.Counter
	parser   *jwt.Parser
	services *jwt.Parser

	mu            sync.RWMutex
	ended         map[id.ID]time.Time
	distrustUntil time.Time
}

type verified struct {
	actor   call.Actor
	expires time.Time
}

// New returns an authenticator.
func New(config Config) (*Authenticator, error) {
	cache, err := otter.New(&otter.Options[[sha256.Size]byte, verified]{MaximumSize: maxCachedTokens})
	if err != nil {
		return nil, fmt.Errorf("make token cache: %w", err)
	}
	asked := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "braid_authn_session_questions_total",
		Help: "Questions to identity about whether a session is live.",
	})
	if err := config.Registerer.Register(asked); err != nil {
		return nil, fmt.Errorf("register metric: %w", err)
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(clockLeeway), jwt.WithTimeFunc(config.Clock.Now),
	}
	return &Authenticator{
		Config:   config,
		keys:     &keySet{fetch: config.UserKeys, clock: config.Clock},
		cache:    cache,
		asked:    asked,
		parser:   jwt.NewParser(append(options, jwt.WithAudience(Audience), jwt.WithIssuer(Issuer))...),
		services: jwt.NewParser(append(options, jwt.WithAudience(config.Service))...),
		ended:    map[id.ID]time.Time{},
	}, nil
}

// AuthenticateUser implements rpc.Authenticator.
func (a *Authenticator) AuthenticateUser(ctx context.Context, token string) (call.Actor, error) {
	if len(token) > maxTokenLength {
		return call.Actor{}, errTokenInvalid
	}
	actor, err := a.verifyCached(token, func() (verified, error) { return a.verifyUser(ctx, token) })
	if err != nil {
		return call.Actor{}, err
	}
	if actor.Kind != call.User {
		return call.Actor{}, errTokenInvalid
	}
	return actor, a.checkSession(ctx, actor.SessionID)
}

// AuthenticateService implements rpc.Authenticator.
func (a *Authenticator) AuthenticateService(_ context.Context, token string) (call.Actor, error) {
	if len(token) > maxTokenLength {
		return call.Actor{}, errTokenInvalid
	}
	actor, err := a.verifyCached(token, func() (verified, error) { return a.verifyService(token) })
	if err != nil {
		return call.Actor{}, err
	}
	if actor.Kind != call.Service {
		return call.Actor{}, errTokenInvalid
	}
	return actor, nil
}

// verifyCached remembers good tokens by their hash until they expire: a signature costs a hundred hashes.
func (a *Authenticator) verifyCached(token string, verify func() (verified, error)) (call.Actor, error) {
	hash := sha256.Sum256([]byte(token))
	known, ok := a.cache.GetIfPresent(hash)
	if !ok {
		var err error
		if known, err = verify(); err != nil {
			return call.Actor{}, err
		}
		a.cache.Set(hash, known)
	}
	if !a.Clock.Now().Before(known.expires) {
		a.cache.Invalidate(hash)
		return call.Actor{}, errTokenInvalid
	}
	return known.actor, nil
}

func (a *Authenticator) verifyUser(ctx context.Context, token string) (verified, error) {
	claims := &Claims{}
	_, err := a.parser.ParseWithClaims(token, claims, func(parsed *jwt.Token) (any, error) {
		keyID, err := header(parsed, AccessTokenType)
		if err != nil {
			return nil, err
		}
		return a.keys.get(ctx, keyID)
	})
	if errs.KindOf(err) == errs.Unavailable {
		return verified{}, err
	}
	if err != nil {
		return verified{}, errTokenInvalid.WithCause(err)
	}
	userID, userErr := id.Parse(claims.Subject)
	sessionID, sessionErr := id.Parse(claims.SessionID)
	if err := errors.Join(userErr, sessionErr); err != nil {
		return verified{}, errTokenInvalid.WithCause(err)
	}
	return verified{
		actor:   call.Actor{Kind: call.User, UserID: userID, SessionID: sessionID, Token: token},
		expires: claims.ExpiresAt.UTC(),
	}, nil
}

func (a *Authenticator) verifyService(token string) (verified, error) {
	claims := &jwt.RegisteredClaims{}
	_, err := a.services.ParseWithClaims(token, claims, func(parsed *jwt.Token) (any, error) {
		keyID, err := header(parsed, ServiceTokenType)
		if err != nil {
			return nil, err
		}
		known, ok := a.ServiceKeys[keyID]
		if !ok {
			return nil, errors.New("unknown key")
		}
		// A service signs for itself only: its key is no good for another's name.
		if issuer, err := parsed.Claims.GetIssuer(); err != nil || issuer != known.Service {
			return nil, errors.New("the key is not the issuer's")
		}
		return known.Key, nil
	})
	if err != nil {
		return verified{}, errTokenInvalid.WithCause(err)
	}
	// The callee trusts its own bound, not the caller's: a token that lives longer than it should is refused.
	if claims.IssuedAt == nil || claims.ExpiresAt.Sub(claims.IssuedAt.Time) > serviceTokenLife {
		return verified{}, errTokenInvalid.WithCause(errors.New("the service token lives too long"))
	}
	return verified{actor: call.Actor{Kind: call.Service, Service: claims.Issuer}, expires: claims.ExpiresAt.UTC()}, nil
}

// header checks the token's type and returns its key id.
func header(token *jwt.Token, wanted string) (string, error) {
	if kind, _ := token.Header["typ"].(string); kind != wanted {
		return "", errors.New("wrong token type")
	}
	keyID, _ := token.Header["kid"].(string)
	if keyID == "" {
		return "", errors.New("no key id")
	}
	return keyID, nil
}
