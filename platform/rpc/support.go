package rpc

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// What operators of the deployment may do in an organization that has let them in, themselves or in somebody's name, is
// narrowed here and nowhere else. What their grant and the person allow is asked besides.

// SupportRecorder keeps that an operator was let into an organization for a request. It is asked before the handler; when it
// fails, the request is refused.
type SupportRecorder interface {
	SupportAccessed(ctx context.Context, access SupportAccess) error
}

// SupportAccess is one request of an operator: who, where and by which grant is in the call.
type SupportAccess struct {
	Procedure string
	ReadOnly  bool
	// Resources are what the request's path names besides the organization, outermost first.
	Resources []call.Resource
}

var (
	errImpersonationForbids = errs.New(errs.PermissionDenied, "IMPERSONATION_FORBIDS",
		"Nobody does this in somebody's name.")
	errImpersonationReadOnly = errs.New(errs.PermissionDenied, "IMPERSONATION_READ_ONLY",
		"The organization's support grant lets you read in somebody's name, not write.")
	errNotRecorded = errs.New(errs.Unavailable, "UNAVAILABLE", "Your access can't be recorded at this moment.")
)

// personal are the services of which an operator does nothing in somebody's name: who somebody is, and what they pay.
var personal = []string{"identity", "billing"}

// admitImpersonation refuses an operator who acts in somebody's name whatever is not an organization's: only RPCs that ask
// for its permission are left, and of these none that changes credentials or bills, or wants to see the person themselves.
// What the contract doesn't say otherwise is refused.
func admitImpersonation(method *Method, actor *call.Actor) error {
	switch acting := actor.Impersonation; {
	case actor.ImpersonatorID.IsZero() && acting == nil:
		return nil
	case acting == nil || actor.ImpersonatorID.IsZero() || actor.Kind != call.User || actor.Limits != nil || actor.Operator != 0:
		return errImpersonationForbids // Nothing that makes such a token is ours.
	case method.Rule != Organization || slices.Contains(personal, method.Service) || method.StepUp != (StepUp{}):
		return errImpersonationForbids
	case !method.ReadOnly && !acting.Writes:
		return errImpersonationReadOnly
	default:
		return nil
	}
}

// supportIn returns the organization that an operator may be let into by a grant: the one of the request, for one who has
// shown a second factor and is no automation, and for one who acts in somebody's name there. For everybody else it is
// none.
func supportIn(actor *call.Actor, organizationID id.ID) (id.ID, error) {
	switch acting := actor.Impersonation; {
	case acting != nil && acting.OrganizationID != organizationID:
		return id.ID{}, errs.ErrNotFound
	case acting != nil:
		return organizationID, nil
	case (actor.Operator == call.OperatorSupport || actor.Operator == call.OperatorAdmin) && actor.Methods.Has(call.SeveralFactors):
		return organizationID, nil
	default:
		return id.ID{}, nil
	}
}

// recordSupport has the access recorded, and refuses what can't be.
func (c *Chain) recordSupport(ctx context.Context, method *Method, work *call.Call, request proto.Message) error {
	if work.SupportGrantID.IsZero() || c.Support == nil {
		return errs.ErrNotFound
	}
	err := c.Support.SupportAccessed(ctx, SupportAccess{
		Procedure: method.Procedure, ReadOnly: method.ReadOnly, Resources: method.named(request),
	})
	if err != nil {
		return errNotRecorded.WithCause(err)
	}
	return nil
}

// named returns what a request's path names besides the organization.
func (m *Method) named(request proto.Message) []call.Resource {
	var named []call.Resource
	message := request.ProtoReflect()
	for _, field := range m.variables {
		if field == m.organizationField {
			continue
		}
		named = append(named, call.Resource{
			Type: strings.TrimSuffix(string(field.Name()), "_id"), ID: id.ParseOrZero(message.Get(field).String()),
		})
	}
	return named
}
