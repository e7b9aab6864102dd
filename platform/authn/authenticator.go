// Package authn finds out who calls: it verifies access tokens against identity's public keys and service tokens
// against the other services' keys, and knows which sessions have ended. It mints service tokens; access tokens are
// identity's alone.
package authn

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"golang.org/x/sync/singleflight"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/credential"
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
	maxAnswers      = 100_000
	maxTokenLength  = 4096
	askTimeout      = 3 * time.Second
	// ClockLeeway is what the clocks of two processes may differ by.
	ClockLeeway = 5 * time.Second
)

var errTokenInvalid = errs.New(errs.Unauthenticated, "TOKEN_INVALID", "The access token is not good: sign in again.")

// Claims are the claims of an access token.
type Claims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid,omitempty"`
	// AuthTime is when the person last proved who they are, AMR how (RFC 8176), and ACR whether that is all they have.
	AuthTime *jwt.NumericDate `json:"auth_time,omitempty"`
	AMR      []string         `json:"amr,omitempty"`
	ACR      string           `json:"acr,omitempty"`
	// SSO is the connection that the login has passed, SSOBypassed says that an owner broke the glass. Pause is for how many
	// seconds the session was left alone at most since AuthTime.
	SSO         string `json:"sso,omitempty"`
	SSOBypassed bool   `json:"sso_bypassed,omitempty"`
	Pause       int64  `json:"pause,omitempty"`
	// Operator is what the person may do with the deployment. A role that ends or changes ends every session with it.
	Operator string `json:"braid_op,omitempty"`
	// Act is the operator who acts in the subject's name.
	Act *Act `json:"act,omitempty"`
	MachineClaims
}

// MachineClaims are those of a token that was issued for a service account's key, in place of a session (RFC 9068).
type MachineClaims struct {
	// ClientID is the service account.
	ClientID       string `json:"client_id,omitempty"`
	OrganizationID string `json:"org,omitempty"`
	// KeyID is the key that it was issued for, and ends with.
	KeyID string `json:"key,omitempty"`
	// MakerID is who made that key.
	MakerID string `json:"maker,omitempty"`
	// Scope holds what the token may be used for, by spaces.
	Scope string `json:"scope,omitempty"`
	// Networks are those that it is good from; none for all.
	Networks []string `json:"net,omitempty"`
}

// Scopes are those of Scope.
func (c MachineClaims) Scopes() []string { return strings.Fields(c.Scope) }

// ServiceKey is the public key of a service.
type ServiceKey struct {
	Service string
	Key     ed25519.PublicKey
}

// Config is what an Authenticator is made of.
type Config struct {
	// UserKeys fetches identity's public keys, by key id.
	UserKeys func(ctx context.Context) (map[string]ed25519.PublicKey, error)
	// ServiceKeys are the services' public keys, by key id.
	ServiceKeys map[string]ServiceKey
	// SessionLive asks identity about a session.
	SessionLive func(ctx context.Context, sessionID id.ID) (SessionState, error)
	// PublicURL is the deployment's: the issuer of tokens for clients, as its metadata says (RFC 9068 section 2.2). People's
	// tokens have Issuer, and so have clients' of the version before.
	PublicURL string
	// Credentials answers about access tokens and API keys; without it, none is good.
	Credentials Credentials
	// Fresh reports whether every session ended more than a second ago has been heard of.
	Fresh      func() bool
	Clock      clock.Clock
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Authenticator verifies access tokens and knows which sessions have ended; there is one in a process. For gives each
// service of the process its rpc.Authenticator.
type Authenticator struct {
	Config
	keys   *keySet
	cache  *tokenCache
	asking singleflight.Group
	asked  prometheus.Counter
	parser *jwt.Parser
	// answers holds when identity was asked for a session that it then called live.
	answers *otter.Cache[id.ID, time.Time]
	// described are the access tokens and API keys that identity was asked about.
	described  *otter.Cache[credential.Hash, described]
	describing singleflight.Group
	uses       uses

	mu    sync.RWMutex
	ended map[id.ID]time.Time
	// secured is when people got a second factor that their sessions have not shown, by person or by session: what was issued
	// before knows nothing of it.
	secured map[id.ID]securing
	// endings are those of credentials and of the tokens that were issued for them.
	endings map[id.ID]ending
	// distrusted is the time up to which an end of a session may have been missed; zero for none.
	distrusted time.Time
}

// New returns an authenticator.
func New(config Config) (*Authenticator, error) {
	cache, err := newTokenCache(maxCachedTokens, config.Clock)
	if err != nil {
		return nil, err
	}
	answers, err := otter.New(&otter.Options[id.ID, time.Time]{MaximumSize: maxAnswers})
	if err != nil {
		return nil, fmt.Errorf("make session cache: %w", err)
	}
	described, err := newCredentialCache()
	if err != nil {
		return nil, err
	}
	factory := promauto.With(config.Registerer)
	authenticator := &Authenticator{
		Config: config,
		keys: newKeySet(config, factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_authn_key_fetches_total", Help: "Fetches of the keys that verify access tokens.",
		})),
		cache: cache,
		asked: factory.NewCounter(prometheus.CounterOpts{
			Name: "braid_authn_session_questions_total",
			Help: "Questions to identity about whether a session is live.",
		}),
		parser:  newParser(config.Clock, jwt.WithAudience(Audience)),
		answers: answers,
		ended:   map[id.ID]time.Time{},
		secured: map[id.ID]securing{},

		described: described, endings: map[id.ID]ending{},
		uses: uses{noted: map[id.ID]time.Time{}, waiting: map[id.ID]Use{}},
	}
	factory.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "braid_authn_distrust_remaining_seconds",
		Help: "How long tokens are still not taken at their word because the end of a session may have been missed; 0 when none was.",
	}, func() float64 { return authenticator.distrustLeft().Seconds() })
	return authenticator, nil
}

// newParser takes EdDSA only and demands an expiry, whatever else is asked of the token.
func newParser(clock clock.Clock, more ...jwt.ParserOption) *jwt.Parser {
	return jwt.NewParser(append(more, jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(ClockLeeway), jwt.WithTimeFunc(clock.Now))...)
}

// AuthenticateUser verifies an access token and that its session is live; or the credential of a machine, and that it
// has not ended.
func (a *Authenticator) AuthenticateUser(ctx context.Context, token string) (call.Actor, error) {
	if credential.Claims(token) {
		return a.authenticateCredential(ctx, token)
	}
	known, err := a.cache.verify(token, func() (verified, error) { return a.verifyUser(ctx, token) })
	if err != nil {
		return call.Actor{}, err
	}
	// The token was good when it was cached; its key may have been given up since.
	if _, err := a.keys.get(ctx, known.keyID); err != nil {
		if errs.KindOf(err) == errs.Unavailable {
			return call.Actor{}, err
		}
		return call.Actor{}, errTokenInvalid.WithCause(err)
	}
	known.actor.Token = token
	if known.actor.Limits != nil {
		if err := a.checkCredential(ctx, known.actor.CredentialID, known.tokenID, known.issued); err != nil {
			return call.Actor{}, err
		}
		a.noteUse(ctx, known.actor)
		return known.actor, nil
	}
	if known.actor.Impersonation != nil {
		return known.actor, a.checkImpersonation(ctx, known.actor.SessionID)
	}
	if err := a.checkSession(ctx, known.actor.SessionID, known.issued); err != nil {
		return call.Actor{}, err
	}
	known.actor.Methods = a.strength(&known)
	return known.actor, nil
}

func (a *Authenticator) verifyUser(ctx context.Context, token string) (verified, error) {
	claims := &Claims{}
	parsed, err := a.parser.ParseWithClaims(token, claims, func(parsed *jwt.Token) (any, error) {
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
	if !a.issues(claims) {
		return verified{}, errTokenInvalid.WithCause(errors.New("another issuer"))
	}
	if known, machine, err := machineOf(claims); machine {
		if err != nil || claims.IssuedAt == nil || claims.Act != nil {
			return verified{}, errTokenInvalid.WithCause(err)
		}
		known.expires, known.issued = claims.ExpiresAt.UTC(), claims.IssuedAt.UTC()
		known.keyID, _ = parsed.Header["kid"].(string)
		return known, nil
	}
	userID, userErr := id.Parse(claims.Subject)
	sessionID, sessionErr := id.Parse(claims.SessionID)
	if err := errors.Join(userErr, sessionErr); err != nil {
		return verified{}, errTokenInvalid.WithCause(err)
	}
	known := verified{
		actor: call.Actor{
			Kind: call.User, UserID: userID, SessionID: sessionID, Methods: call.MethodsOf(claims.AMR, claims.ACR),
			Passed: id.ParseOrZero(claims.SSO), BrokeGlass: claims.SSOBypassed, Pause: time.Duration(claims.Pause) * time.Second,
			Operator: call.OperatorRoleOf(claims.Operator),
		},
		expires: claims.ExpiresAt.UTC(),
	}
	if claims.Act != nil {
		if known.actor, err = impersonationOf(claims); err != nil {
			return verified{}, errTokenInvalid.WithCause(err)
		}
	}
	if claims.AuthTime != nil {
		known.actor.AuthTime = claims.AuthTime.UTC()
	}
	known.keyID, _ = parsed.Header["kid"].(string)
	if claims.IssuedAt != nil {
		known.issued = claims.IssuedAt.UTC()
	}
	return known, nil
}

func (a *Authenticator) issues(claims *Claims) bool {
	forClient := claims.ClientID != "" && a.PublicURL != "" && claims.Issuer == a.PublicURL
	return forClient || claims.Issuer == Issuer
}

// header checks the token's type and returns its key id.
func header(token *jwt.Token, wanted string) (string, error) {
	if kind, _ := token.Header["typ"].(string); kind != wanted {
		return "", errors.New("wrong token type")
	}
	// RFC 7515, 4.1.11: what must be understood is refused by who does not. Our own tokens have none, and the library passes it over.
	if _, ok := token.Header["crit"]; ok {
		return "", errors.New("an extension that is not understood")
	}
	keyID, _ := token.Header["kid"].(string)
	if keyID == "" {
		return "", errors.New("no key id")
	}
	return keyID, nil
}
