// Package rpctest puts a service's handlers behind the real chain and a real HTTP server, with tokens and roles that a
// test hands out as it likes. It is for tests only: its tokens prove nothing. What tokens and permissions really are is
// tested in platform/authn and platform/authz.
package rpctest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/braidhq/braid/platform/authz"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

// Tokens are the tokens of a test: token text to actor. It implements rpc.Authenticator. A user's token is no good
// where a service's is wanted, nor the other way round.
type Tokens struct {
	mu     sync.RWMutex
	actors map[string]call.Actor
	fault  error
}

// NewTokens returns no tokens: everybody is a stranger.
func NewTokens() *Tokens { return &Tokens{actors: map[string]call.Actor{}} }

// User makes a user known by a token. The actor has a session of its own.
func (t *Tokens) User(token string, userID id.ID) call.Actor {
	actor := call.Actor{Kind: call.User, UserID: userID, SessionID: id.New(), Token: token}
	t.set(token, actor)
	return actor
}

// Machine makes the credential of a machine known: the actor says whose it is and what limits it.
func (t *Tokens) Machine(token string, actor call.Actor) call.Actor {
	actor.Token = token
	t.set(token, actor)
	return actor
}

// RecentUser is User for somebody who has just signed in, as strongly as they can.
func (t *Tokens) RecentUser(token string, userID id.ID) call.Actor {
	actor := t.User(token, userID)
	actor.AuthTime, actor.Methods = time.Now(), call.Password|call.Strong
	t.set(token, actor)
	return actor
}

// Operator makes an operator of the deployment known by a token, who has just signed in with a second factor.
func (t *Tokens) Operator(token string, userID id.ID, role call.OperatorRole) call.Actor {
	actor := call.Actor{Kind: call.User, UserID: userID, SessionID: id.New(), AuthTime: time.Now(), Operator: role}
	actor.Methods = call.Password | call.OneTimeCode | call.SeveralFactors | call.Strong
	t.Session(token, actor)
	return actor
}

// Session makes an actor known by a token: with the login, or the lack of one, that the test wants.
func (t *Tokens) Session(token string, actor call.Actor) {
	actor.Token = token
	t.set(token, actor)
}

// Service makes a calling service known by a token.
func (t *Tokens) Service(token, service string) call.Actor {
	actor := call.Actor{Kind: call.Service, Service: service}
	t.set(token, actor)
	return actor
}

// Revoke makes a token no good.
func (t *Tokens) Revoke(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.actors, token)
}

// Fail lets every question end in err from now on, as when identity can't be reached; nil ends that.
func (t *Tokens) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = err
}

func (t *Tokens) set(token string, actor call.Actor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.actors[token] = actor
}

var errTokenInvalid = errs.New(errs.Unauthenticated, "TOKEN_INVALID", "The access token is not good: sign in again.")

// AuthenticateUser implements rpc.Authenticator.
func (t *Tokens) AuthenticateUser(_ context.Context, token string) (call.Actor, error) {
	return t.authenticate(token, call.User, call.ServiceAccount)
}

// AuthenticateService implements rpc.Authenticator.
func (t *Tokens) AuthenticateService(_ context.Context, token string) (call.Actor, error) {
	return t.authenticate(token, call.Service)
}

func (t *Tokens) authenticate(token string, kinds ...call.ActorKind) (call.Actor, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.fault != nil {
		return call.Actor{}, t.fault
	}
	if actor, ok := t.actors[token]; ok && slices.Contains(kinds, actor.Kind) {
		return actor, nil
	}
	return call.Actor{}, errTokenInvalid
}

// AuthorizeResource implements rpc.Authorizer: what a system role permits it permits everywhere. Narrow makes a user's
// access depend on the resource.
func (r *Roles) AuthorizeResource(ctx context.Context, organizationID, userID id.ID, permission string, asked rpc.Asked) (call.Undecided, error) {
	r.mu.RLock()
	narrow := r.narrow[membership{organizationID, userID}]
	r.mu.RUnlock()
	if narrow != nil {
		return narrow(ctx, permission, asked)
	}
	return nil, r.Authorize(ctx, organizationID, userID, permission)
}

// Narrow lets authorize answer for a user in an organization wherever a resource is asked for.
func (r *Roles) Narrow(organizationID, userID id.ID, authorize func(ctx context.Context, permission string, asked rpc.Asked) (call.Undecided, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.narrow[membership{organizationID, userID}] = authorize
}

type membership struct{ organizationID, userID id.ID }

// Roles are the members of a test's organizations. It implements rpc.Authorizer with the permissions that the contract
// gives to each system role.
type Roles struct {
	permissions map[string]int

	mu   sync.RWMutex
	held map[membership]int
	// suspended members are refused whatever their role.
	suspended map[membership]bool
	// narrow are those whose access depends on the resource.
	narrow map[membership]func(ctx context.Context, permission string, asked rpc.Asked) (call.Undecided, error)
	fault  error
	other  rpc.Authorizer
}

// NewRoles returns no members: everybody is an outsider everywhere.
func NewRoles() (*Roles, error) {
	catalog, err := rpc.Catalog()
	if err != nil {
		return nil, err
	}
	permissions := map[string]int{}
	for _, method := range catalog {
		if method.Rule == rpc.Organization {
			permissions[method.Permission] = rank(method.Role)
		}
	}
	return &Roles{permissions: permissions, held: map[membership]int{}, suspended: map[membership]bool{},
		narrow: map[membership]func(context.Context, string, rpc.Asked) (call.Undecided, error){}}, nil
}

// rank is a role's place among the system roles, from 1; 0 is none.
func rank(role string) int {
	for i, known := range rpc.SystemRoles {
		if known == role {
			return i + 1
		}
	}
	return 0
}

// Grant makes a user a member with one of rpc.SystemRoles. It panics for another role: the test is wrong.
func (r *Roles) Grant(organizationID, userID id.ID, role string) {
	if rank(role) == 0 {
		panic("rpctest: no role " + role)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[membership{organizationID, userID}] = rank(role)
	delete(r.suspended, membership{organizationID, userID})
}

// Suspend makes a member one who is refused everything, until they are granted a role again.
func (r *Roles) Suspend(organizationID, userID id.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspended[membership{organizationID, userID}] = true
}

// Remove makes a user an outsider.
func (r *Roles) Remove(organizationID, userID id.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, membership{organizationID, userID})
}

// AnswerBy lets another authorizer answer about all whom the test has granted nothing.
func (r *Roles) AnswerBy(other rpc.Authorizer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.other = other
}

// Fail lets every question end in err from now on, as when organization can't be reached; nil ends that.
func (r *Roles) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = err
}

// Authorize implements rpc.Authorizer.
func (r *Roles) Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error {
	r.mu.RLock()
	fault, held, other, suspended := r.fault, r.held[membership{organizationID, userID}], r.other, r.suspended[membership{organizationID, userID}]
	r.mu.RUnlock()
	needed, known := r.permissions[permission]
	switch {
	case fault != nil:
		return fault
	case held == 0 && other != nil:
		return other.Authorize(ctx, organizationID, userID, permission)
	case held == 0:
		return errs.ErrNotFound
	case suspended:
		return errs.New(errs.PermissionDenied, "MEMBER_SUSPENDED", "You are suspended in this organization.")
	case permission == "" || (known && needed > 0 && held >= needed):
		return nil
	default:
		return errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission "+permission+".").With("permission", permission)
	}
}

// Effective returns what a user holds, as the owner of the roles answers it. It is an authz.Source.
func (r *Roles) Effective(_ context.Context, organizationID, userID id.ID, _ int64) (authz.Answer, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.fault != nil {
		return authz.Answer{}, r.fault
	}
	held := r.held[membership{organizationID, userID}]
	if held == 0 {
		return authz.Answer{}, nil
	}
	return authz.Answer{Member: true, RoleIDs: []string{rpc.SystemRoles[held-1]}}, nil
}
