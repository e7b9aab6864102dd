package authn

import (
	"context"
	"errors"

	"github.com/golang-jwt/jwt/v5"

	"github.com/braidhq/braid/platform/call"
)

// maxCachedServiceTokens is generous: each caller mints two a minute.
const maxCachedServiceTokens = 1_000

// ServiceAuthenticator is the view of one service: the process's users, and the service tokens made for this service.
// It implements rpc.Authenticator.
type ServiceAuthenticator struct {
	*Authenticator
	cache  *tokenCache
	parser *jwt.Parser
}

// For returns the authenticator of a service of this process: the audience that service tokens must name.
func (a *Authenticator) For(service string) (*ServiceAuthenticator, error) {
	cache, err := newTokenCache(maxCachedServiceTokens, a.Clock)
	if err != nil {
		return nil, err
	}
	return &ServiceAuthenticator{Authenticator: a, cache: cache, parser: newParser(a.Clock, jwt.WithAudience(service))}, nil
}

// AuthenticateService verifies a service token made for this service.
func (s *ServiceAuthenticator) AuthenticateService(_ context.Context, token string) (call.Actor, error) {
	known, err := s.cache.verify(token, func() (verified, error) { return s.verifyService(token) })
	return known.actor, err
}

func (s *ServiceAuthenticator) verifyService(token string) (verified, error) {
	claims := &jwt.RegisteredClaims{}
	_, err := s.parser.ParseWithClaims(token, claims, func(parsed *jwt.Token) (any, error) {
		keyID, err := header(parsed, ServiceTokenType)
		if err != nil {
			return nil, err
		}
		known, ok := s.ServiceKeys[keyID]
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
