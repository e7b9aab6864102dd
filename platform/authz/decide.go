package authz

import (
	"context"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/access"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
)

var errSuspended = errs.New(errs.PermissionDenied, "MEMBER_SUSPENDED", "Your membership in the organization is suspended.")

func errDenied(permission string) error {
	return errs.New(errs.PermissionDenied, "PERMISSION_DENIED", "You lack the permission "+permission+".").With("permission", permission)
}

// question is what is asked about a permission in the call at hand.
func (a *Access) question(ctx context.Context, permission string) access.Question {
	return questionAt(ctx, permission, a.Clock.Now())
}

func questionAt(ctx context.Context, permission string, now time.Time) access.Question {
	work := call.From(ctx)
	return access.Question{Permission: permission, Now: now, Address: work.ClientAddress, Login: LoginOf(&work.Actor)}
}

// LoginOf says of a caller's login what conditions may ask. The strongest thing shown is the factor.
func LoginOf(actor *call.Actor) access.Login {
	login := access.Login{SecondFactor: actor.Methods.Has(call.SeveralFactors), Time: actor.AuthTime}
	switch methods := actor.Methods; {
	case methods&(call.DeviceKey|call.SyncedKey) != 0:
		login.Factor = access.Passkey
	case methods.Has(call.OneTimeCode):
		login.Factor = access.OTP
	case methods.Has(call.Provider):
		login.Factor = access.SSO
	case methods.Has(call.Password):
		login.Factor = access.Password
	}
	return login
}

// allows reports whether the permission is held in the whole organization; the empty one asks for membership.
func (h *Held) allows(question *access.Question) bool {
	if !h.Member || h.Suspended {
		return false
	}
	return question.Permission == "" || h.Decide(question).Allowed
}

// Check says whether the caller may do something in the whole organization, with what is held: for use cases that decide
// again under a lock what the chain decided in front of it.
func (h *Held) Check(ctx context.Context, permission string, now time.Time) error {
	question := questionAt(ctx, permission, now)
	return h.decide(&question)
}

func (h *Held) decide(question *access.Question) error {
	switch {
	case !h.Member:
		return errs.ErrNotFound
	case h.Suspended:
		return errSuspended
	case h.allows(question):
		return nil
	}
	return errDenied(question.Permission)
}

// AuthorizeResource implements rpc.Authorizer.
func (a *Access) AuthorizeResource(ctx context.Context, organizationID, userID id.ID, permission string, asked rpc.Asked) (call.Undecided, error) {
	own := key{organizationID: organizationID, userID: userID}
	operator, err := a.operatorIn(ctx, own)
	if err != nil {
		return nil, err
	}
	if operator != nil {
		return a.letIn(ctx, own, operator, func(wanted key) (call.Undecided, error) {
			return a.authorizeResource(ctx, wanted, permission, asked)
		})
	}
	undecided, err := a.authorizeResource(ctx, own, permission, asked)
	if err == nil {
		err = a.boundByMaker(ctx, own, permission)
	}
	if err != nil {
		return nil, err
	}
	return undecided, nil
}

func (a *Access) authorizeResource(ctx context.Context, wanted key, permission string, asked rpc.Asked) (call.Undecided, error) {
	if a.remembers(ctx, wanted, permission, asked.ProjectID) {
		return nil, nil
	}
	question := a.question(ctx, permission)
	resource := resourceOf(asked.Resource)
	question.Resource = &resource
	held, err := a.hold(ctx, wanted, func(held *Held) bool {
		_, refused := held.settle(question, asked)
		return refused == nil && a.meetsPolicy(ctx, wanted.userID, held, permission) == nil
	})
	if err == nil {
		err = a.meetsPolicy(ctx, wanted.userID, &held, permission)
	}
	if err != nil {
		return nil, err
	}
	noteGrant(ctx, &held)
	return held.settle(question, asked)
}

// settle decides what is asked, as far as what is known of the resource decides it: nil and nil for a yes, what is left
// to be decided, or why not.
func (h *Held) settle(question access.Question, asked rpc.Asked) (call.Undecided, error) {
	switch {
	case !h.Member || h.Suspended:
		return nil, h.decide(&question)
	case h.isBarred(question, asked.ProjectID):
		return nil, h.refuse(readingProject(question, asked.ProjectID), false)
	case h.Everywhere(question.Permission):
		return nil, nil
	case asked.Complete && h.Decide(&question).Allowed:
		return h.settleOwned(question, asked.ProjectID)
	case asked.Complete:
		return nil, h.refuse(question, true)
	}
	reach := h.Reach(&question)
	switch {
	case reach.Everything():
		return nil, nil
	case reach.Nothing():
		return nil, h.refuse(question, false)
	}
	return &undecided{held: *h, question: question, reach: reach}, nil
}

// settleOwned goes on with something that may be made. What is made will be its maker's own, so whoever holds the
// permission only for what is their own would hold it in every project whose id they know: they make things only where
// they may read the project, and who owns that one its row says.
func (h *Held) settleOwned(question access.Question, projectID id.ID) (call.Undecided, error) {
	if projectID.IsZero() {
		return nil, nil
	}
	anybodys := *question.Resource
	anybodys.OwnerID = ""
	here := question
	here.Resource = &anybodys
	if h.Decide(&here).Allowed {
		return nil, nil
	}
	reading := readingProject(question, projectID)
	reach := h.Reach(&reading)
	switch {
	case reach.Everything():
		return nil, nil
	case reach.Nothing():
		return nil, errs.ErrNotFound
	}
	return &undecided{held: *h, question: reading, reach: reach}, nil
}

// isBarred reports whether somebody is denied to read the project that a request names. It isn't there for them then,
// whatever else they hold in it.
func (h *Held) isBarred(question access.Question, projectID id.ID) bool {
	if projectID.IsZero() {
		return false
	}
	reading := readingProject(question, projectID)
	return h.Denied(&reading)
}

// unbarred reports whether nobody has to look if somebody is denied to read a project; the zero id is none.
func (h *Held) unbarred(permission string, projectID id.ID) bool {
	return projectID.IsZero() || !h.Denies(readingOf(permission, projectType))
}

// projectType is the type of resource that others are in.
const projectType = "project"

// readingProject asks whether the project may be read where something of it is asked for.
func readingProject(question access.Question, projectID id.ID) access.Question {
	question.Permission = readingOf(question.Permission, projectType)
	question.Resource = &access.Resource{Type: projectType, ID: text(projectID), ProjectID: text(projectID)}
	return question
}

// readingOf is the permission of the same service to read resources of a type.
func readingOf(permission, resourceType string) string {
	service, _, _ := strings.Cut(permission, ".")
	return service + "." + resourceType + ".read"
}

// undecided is the rest of a question that the resource itself answers.
type undecided struct {
	held     Held
	question access.Question
	reach    access.Reach
}

// Decide implements call.Undecided. What somebody may not read isn't there for them.
func (u *undecided) Decide(_ context.Context, of call.Resource) error {
	resource := resourceOf(of)
	question := u.question
	question.Resource = &resource
	if u.held.Decide(&question).Allowed {
		return nil
	}
	return u.held.refuse(question, true)
}

// refuse tells whoever may read a resource that they may not do more with it. For one who reads others of its type, but
// not this one, it isn't there; and one who reads none of them is told just that, be there what may.
func (h *Held) refuse(question access.Question, complete bool) error {
	denied := errDenied(question.Permission)
	resource := question.Resource
	if resource.ID == "" && resource.ProjectID == "" {
		return denied
	}
	question.Permission = readingOf(question.Permission, resource.Type)
	if here := h.Reach(&question); h.Decide(&question).Allowed || !complete && !here.Nothing() {
		return denied
	}
	question.Resource = &access.Resource{Type: resource.Type}
	if elsewhere := h.Reach(&question); elsewhere.Nothing() {
		return denied
	}
	return errs.ErrNotFound
}

// Reach implements call.Undecided.
func (u *undecided) Reach() access.Reach { return u.reach }

func resourceOf(of call.Resource) access.Resource {
	return access.Resource{Type: of.Type, ID: text(of.ID), ProjectID: text(of.ProjectID), OwnerID: text(of.OwnerID)}
}
