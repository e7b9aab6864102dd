// Package call holds what is known about the work in hand, whatever brought it: a request over REST, Connect or gRPC,
// an event, a job. It travels in the context. Connect's own metadata is sealed and REST has none, so this is ours.
package call

import (
	"context"
	"net/netip"
	"time"

	"github.com/braidhq/braid/platform/id"
)

// ActorKind says what sort of thing acts.
type ActorKind string

// The kinds of actor.
const (
	// Anonymous has shown no credential.
	Anonymous ActorKind = "anonymous"
	// User is a person with a verified access token.
	User ActorKind = "user"
	// ServiceAccount is a member of an organization without a person, with a key of its own.
	ServiceAccount ActorKind = "service_account"
	// Service is another Braid service with a service token.
	Service ActorKind = "service"
	// System is Braid itself: a job or a consumer with nobody behind it.
	System ActorKind = "system"
)

// Actor is who does the work. An event carries it on, so that a consumer knows who caused what it sees.
type Actor struct {
	Kind ActorKind
	// UserID is the person, or the service account.
	UserID    id.ID
	SessionID id.ID
	// AuthTime is when the person last proved who they are, and Methods how; zero for tokens that don't say.
	AuthTime time.Time
	Methods  Methods
	// Passed is the organization's connection that the login came by, zero for none; BrokeGlass says that an owner came past
	// it by the password.
	Passed     id.ID
	BrokeGlass bool
	// Pause is for how long the session was left alone at most since AuthTime.
	Pause time.Duration
	// Operator is what the person may do with the deployment, which is nothing for nearly everybody.
	Operator OperatorRole
	// CredentialID is the access token or API key that a machine has shown in place of a session.
	CredentialID id.ID
	// ImpersonatorID is the operator who acts in the person's name; zero for nobody. It travels with everything that is done.
	ImpersonatorID id.ID
	// Impersonation is what limits that operator; nil for everybody else. It does not travel.
	Impersonation *Impersonation
	// Limits are that credential's; nil for a session, which has none. They do not travel.
	Limits *Limits
	// Service is the calling service's name when Kind is Service.
	Service string
	// Token is the access token as it came, to be passed on to other services; never logged.
	Token string
}

// Call is one piece of work. The chain fills it; everything below only reads it.
type Call struct {
	// Procedure is the full RPC name, "/braid.workflow.v1.TaskService/CreateTask"; empty outside RPCs.
	Procedure string
	// CorrelationID follows the work through requests, events, e-mails and audit records.
	CorrelationID string
	// OrganizationID is the organization the work is done in, checked against the actor's access; zero when none.
	OrganizationID id.ID
	Actor          Actor
	ClientAddress  netip.Addr
	UserAgent      string
	IdempotencyKey string
	// IdempotencyHash is the keyed hash of the request's body; set when IdempotencyKey is.
	IdempotencyHash []byte
	// SupportOrganizationID is the one organization that an operator may be let into by a support grant, in this piece of
	// work; zero is none. The chain sets it, which also records the access, and nobody else.
	SupportOrganizationID id.ID
	// SupportGrantID is the grant that has let the operator in; zero while none has.
	SupportGrantID id.ID
	// Lacking is what the caller was to be refused with, where the contract lets others than the holders of the permission
	// call, too: the handler lets those through and answers everybody else with it.
	Lacking error
	// SelfAlways says that the caller does with themselves what no suspension and no policy keeps a member from.
	SelfAlways bool
	// Replayed is set by the idempotency helper when the answer is a stored one.
	Replayed bool
	// LeastAccessRevision is the organization's access revision that the answer must not be older than; 0 when the
	// caller named none.
	LeastAccessRevision int64
	// AccessRevision is set by a use case that changes who may do what: the revision that holds the change.
	AccessRevision int64

	undecided Undecided
	decided   bool
}

type key struct{}

// With returns a context that carries call.
func With(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, key{}, call)
}

// From returns the call in ctx. It is never nil: without one it is an anonymous call of its own.
func From(ctx context.Context) *Call {
	if call, ok := ctx.Value(key{}).(*Call); ok {
		return call
	}
	return &Call{Actor: Actor{Kind: Anonymous}}
}
