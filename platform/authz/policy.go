package authz

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// Policy is what an organization asks of everybody who acts in it, as far as each request is held against it.
type Policy struct {
	SecondFactor bool
	// SecondFactorSince is from when one is asked for, and Grace for how long somebody may go on without.
	SecondFactorSince time.Time
	Grace             time.Duration
	// SessionMaxAge is how long a login is good for; 0 is without end.
	SessionMaxAge time.Duration
	// SessionMaxPause is for how long a session may be left alone since then; 0 is without end.
	SessionMaxPause time.Duration
	// Connection is the organization's own that the member has to sign in by; zero for none.
	Connection id.ID
	// Networks are those that may be acted from; none is anywhere.
	Networks       []netip.Prefix
	ForbidsAPIKeys bool
}

// Caller is who acts, as the request shows them.
type Caller struct {
	Actor   call.Actor
	Address netip.Addr
	// JoinedAt is when they became a member.
	JoinedAt time.Time
	Now      time.Time
	// Owner says that they may break the glass of a required connection.
	Owner bool
	// AnyAddress says that the networks are not asked for.
	AnyAddress bool
}

var errPolicy = errs.New(errs.PermissionDenied, "POLICY_FORBIDS", "The organization's policy forbids it.")

// The facts of a refusal: which rule it was, and what can be done.
const (
	policyFact = "policy"
	actionFact = "action"
	stepUp     = "stepUp"
)

const (
	day = 24 * time.Hour
	// clockLeeway is what the clocks of two processes may differ by.
	clockLeeway = 5 * time.Second
)

// Check answers nil for who meets the policy. A machine is whoever acts without a session. A service account has no login
// that anything could be asked of; a person's token is held to the login that it was made in, as that was then, so that
// nobody who is refused comes in by a token. An address that is not known is in no network.
func (p *Policy) Check(caller *Caller) error {
	actor := &caller.Actor
	machine := actor.SessionID.IsZero()
	switch {
	case p == nil:
		return nil
	case !caller.AnyAddress && !p.Admits(caller.Address):
		return errAddress(caller)
	case machine && p.ForbidsAPIKeys:
		return p.checkKeys()
	case machine && (actor.Kind == call.ServiceAccount || actor.Limits == nil):
		return nil
	case machine:
		return tokenRefusal(p.checkLogin(caller, actor.Limits.MadeBy, actor.Limits.MadeAt))
	default:
		return p.checkLogin(caller, actor.Login(), caller.Now)
	}
}

// checkLogin answers nil when a login meets the policy, at the given time as far as it ages. An operator who acts in
// somebody's name is let in by a support grant in place of the provider, which knows only its own people.
func (p *Policy) checkLogin(caller *Caller, login call.Login, at time.Time) error {
	switch {
	case !p.Connection.IsZero() && caller.Actor.ImpersonatorID.IsZero() && !passed(caller, login, p.Connection):
		return p.errConnection()
	case p.SecondFactor && !login.Methods.Has(call.SeveralFactors) && !caller.Now.Before(p.factorDue(caller.JoinedAt)):
		return missesFactor(login.Methods)
	case p.SessionMaxAge > 0 && (login.Time.IsZero() || at.Sub(login.Time) > p.SessionMaxAge):
		return errPolicy.WithMessage("The organization's policy asks for a more recent login: prove once more who you are.").
			With(policyFact, "session").With(actionFact, stepUp).With("maxAge", strconv.Itoa(int(p.SessionMaxAge.Seconds())))
	case p.SessionMaxPause > 0 && login.Pause > p.SessionMaxPause:
		return errPolicy.WithMessage("The organization's policy asks who left a session alone for long to prove once more who they are.").
			With(policyFact, "sessionPause").With(actionFact, stepUp).With("maxPause", strconv.Itoa(int(p.SessionMaxPause.Seconds())))
	}
	return nil
}

// tokenRefusal tells whoever comes with a token what helps: not to prove more now, but to have the token made anew.
func tokenRefusal(refusal error) error {
	if refusal == nil {
		return nil
	}
	return errs.From(refusal).WithMessage("The organization's policy does not take the login that this access token was made in: "+
		"sign in as it asks, then rotate the token.").With(actionFact, "rotateToken")
}

// CheckEntrance answers nil for who may become a member from where they are and as they have signed in. What they can
// mend as a member is asked of members only.
func (p *Policy) CheckEntrance(caller *Caller) error {
	switch {
	case p == nil:
		return nil
	case !p.Admits(caller.Address):
		return errAddress(caller)
	case !p.Connection.IsZero() && !passed(caller, caller.Actor.Login(), p.Connection):
		return p.errConnection()
	}
	return nil
}

func errAddress(caller *Caller) error {
	return errPolicy.WithMessage("The organization's policy does not let anybody act from your address.").
		With(policyFact, "address").With("address", caller.Address.String())
}

func (p *Policy) errConnection() error {
	return errPolicy.WithMessage("The organization has you sign in by its own provider: sign in by it.").
		With(policyFact, "ssoConnection").With(actionFact, "signIn").With("ssoConnectionId", p.Connection.String())
}

// passed reports whether a login came by a connection. An owner who broke the glass is let in for as long as they are one.
func passed(caller *Caller, login call.Login, connectionID id.ID) bool {
	return login.Passed == connectionID && (!login.BrokeGlass || caller.Owner)
}

// Requiring returns the policy as it is for a member who has to sign in by a connection; zero for none.
func (p *Policy) Requiring(connectionID id.ID) *Policy {
	if connectionID.IsZero() {
		return p
	}
	required := Policy{}
	if p != nil {
		required = *p
	}
	required.Connection = connectionID
	return &required
}

// checkKeys answers nil when machines may come with credentials at all.
func (p *Policy) checkKeys() error {
	if p == nil || !p.ForbidsAPIKeys {
		return nil
	}
	return errPolicy.WithMessage("The organization's policy takes no API keys and access tokens: sign in.").With(policyFact, "apiKeys")
}

// Admits reports whether an address may be acted from.
func (p *Policy) Admits(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return len(p.Networks) == 0 || slices.ContainsFunc(p.Networks, func(network netip.Prefix) bool { return network.Contains(address) })
}

// factorDue is when somebody's days of grace are over.
func (p *Policy) factorDue(joined time.Time) time.Time {
	from := p.SecondFactorSince
	if joined.After(from) {
		from = joined
	}
	return from.Add(p.Grace)
}

// missesFactor tells one who has a second factor to show it, as RFC 9470 does, and one who has none to enroll one. A
// login is strong without a second factor only while its person has none.
func missesFactor(methods call.Methods) error {
	refusal := errPolicy.With(policyFact, "secondFactor")
	if methods.Has(call.Strong) {
		return refusal.WithMessage("The organization's policy asks for a second factor: enroll one, then sign in with it.").
			With(actionFact, "enrollFactor")
	}
	return refusal.WithMessage("The organization's policy asks for a second factor: show yours.").
		With(actionFact, stepUp).With("acr", call.StrongACR)
}

// PolicyOf reads a policy as it came over the wire; nil is one that asks for nothing. A network that can't be read fails:
// one left out would let nobody in, or everybody.
func PolicyOf(sent *organizationv1.Policy) (*Policy, error) {
	policy := Policy{
		SecondFactor: sent.GetSecondFactor() == organizationv1.Policy_REQUIRED, SecondFactorSince: timeOf(sent.GetSecondFactorTime()),
		Grace:           time.Duration(sent.GetSecondFactorGraceDays()) * day,
		SessionMaxAge:   time.Duration(sent.GetSessionMaxAge()) * time.Second,
		SessionMaxPause: time.Duration(sent.GetSessionMaxPause()) * time.Second, ForbidsAPIKeys: sent.GetApiKeys() == organizationv1.Policy_FORBIDDEN,
	}
	for _, text := range sent.GetAllowedNetworks() {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("read policy: %w", err)
		}
		policy.Networks = append(policy.Networks, network)
	}
	if !policy.SecondFactor && policy.SessionMaxAge == 0 && policy.SessionMaxPause == 0 && len(policy.Networks) == 0 && !policy.ForbidsAPIKeys {
		return nil, nil
	}
	return &policy, nil
}

var errTokenOutlived = errs.New(errs.PermissionDenied, "CREDENTIAL_NOT_ALLOWED",
	"This access token is from before you became a member: rotate it, or make another.")

// outlived reports whether a token for one organization was made before its person became a member: for a membership that
// has ended. Who comes back, be it as a guest, does not bring back what they had left lying about. The clocks of who keeps
// tokens and of who keeps members may differ.
func outlived(actor *call.Actor, joined time.Time) bool {
	limits := actor.Limits
	return limits != nil && actor.Kind == call.User && !limits.OrganizationID.IsZero() && limits.MadeAt.Add(clockLeeway).Before(joined)
}

// AcceptsKeys answers nil when an organization takes credentials of machines at all, NotFound when the subject is none of
// its own: for who is about to make one, or to use one where no permission is asked for.
func (a *Access) AcceptsKeys(ctx context.Context, organizationID, subjectID id.ID) error {
	accepts := func(held *Held) bool { return held.Member && held.policy.checkKeys() == nil }
	held, err := a.hold(ctx, key{organizationID: organizationID, userID: subjectID}, accepts)
	if err == nil && !held.Member {
		err = errs.ErrNotFound
	}
	if err != nil {
		return err
	}
	return held.policy.checkKeys()
}

// ownersWay are the permissions for which the networks are not asked of an owner with a second factor, so that a wrong
// list of them can be set right by those it has locked out.
var ownersWay = []string{"organization.policy.read", "organization.policy.update"}

// meetsPolicy answers nil when the policy lets a request through. It is asked of who calls only: of others, of events and
// of jobs nobody knows an address or a login.
func (a *Access) meetsPolicy(ctx context.Context, userID id.ID, held *Held, permission string) error {
	if !held.Member || held.Suspended {
		return nil
	}
	work := call.From(ctx)
	if work.Procedure == "" || work.Actor.UserID != userID {
		return nil
	}
	if outlived(&work.Actor, held.joinedAt) {
		return errTokenOutlived
	}
	if held.policy == nil {
		return nil
	}
	owner := slices.Contains(held.RoleIDs, "owner") && work.Actor.ImpersonatorID.IsZero()
	return held.policy.Check(&Caller{
		Actor: work.Actor, Address: work.ClientAddress, JoinedAt: held.joinedAt, Now: a.Clock.Now(), Owner: owner,
		AnyAddress: owner && slices.Contains(ownersWay, permission) && work.Actor.Methods.Has(call.SeveralFactors),
	})
}
