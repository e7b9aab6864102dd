package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// ImpersonationLife is how long an operator may act in somebody's name, at most. It is longer than what this process
// remembers of ended sessions, so identity is asked about each such token, at most once a second.
const ImpersonationLife = 30 * time.Minute

// Act says who acts in the name of a token's subject (RFC 8693 section 4.1).
type Act struct {
	// Subject is the operator.
	Subject  string `json:"sub"`
	Operator string `json:"braid_op"`
	// Writes says that the support grant allowed more than to read.
	Writes bool `json:"braid_writes,omitempty"`
}

var errActs = errors.New("the token is of nobody who may act in another's name")

// impersonationOf reads the claims of a token with which an operator acts in somebody's name, for the one organization
// that it names. It has no role of an operator itself, and is of no machine.
func impersonationOf(claims *Claims) (call.Actor, error) {
	operatorID, operatorErr := id.Parse(claims.Act.Subject)
	organizationID, organizationErr := id.Parse(claims.OrganizationID)
	impersonationID, sessionErr := id.Parse(claims.SessionID)
	userID, userErr := id.Parse(claims.Subject)
	if err := errors.Join(operatorErr, organizationErr, sessionErr, userErr); err != nil {
		return call.Actor{}, err
	}
	role := call.OperatorRoleOf(claims.Act.Operator)
	if role == 0 || claims.Operator != "" || claims.ClientID != "" || claims.KeyID != "" || operatorID == userID {
		return call.Actor{}, errActs
	}
	return call.Actor{
		Kind: call.User, UserID: userID, SessionID: impersonationID, Methods: call.MethodsOf(claims.AMR, claims.ACR), ImpersonatorID: operatorID,
		Impersonation: &call.Impersonation{ID: impersonationID, OrganizationID: organizationID, OperatorRole: role, Writes: claims.Act.Writes},
	}, nil
}

// checkImpersonation refuses one that has ended, by itself or with the operator's session. Identity's word is all that
// counts.
func (a *Authenticator) checkImpersonation(ctx context.Context, impersonationID id.ID) error {
	a.mu.RLock()
	_, ended := a.ended[impersonationID]
	a.mu.RUnlock()
	if ended {
		return errTokenInvalid
	}
	return a.askSession(ctx, impersonationID)
}

func (a *Authenticator) handleImpersonationEnded(event bus.Event) error {
	ended := &identityv1.ImpersonationEnded{}
	if err := event.Unmarshal(ended); err != nil {
		return fmt.Errorf("read %s: %w", event.Type, err)
	}
	impersonationID, err := id.Parse(ended.GetImpersonationId())
	if err != nil {
		return fmt.Errorf("read %s: impersonation: %w", event.Type, err)
	}
	a.EndSession(impersonationID)
	return nil
}
