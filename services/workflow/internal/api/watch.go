package api

import (
	"context"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/rpc"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/live"
)

// watchPermission is what a stream needs from its first to its last event; the contract asks for it at the beginning.
const watchPermission = "workflow.project.watch"

// Watching is what decides whether a stream may go on: the same two that decided that it may begin.
type Watching struct {
	Authenticator rpc.Authenticator
	Authorizer    rpc.Authorizer
}

// check asks again whether the caller may watch. A stream ends with its session, its token or its permission; a client
// with a fresh token goes on where it was.
func (w Watching) check(work *call.Call, project call.Resource) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if _, err := w.Authenticator.AuthenticateUser(ctx, work.Actor.Token); err != nil {
			return err
		}
		undecided, err := w.Authorizer.AuthorizeResource(ctx, work.OrganizationID, work.Actor.UserID, watchPermission, rpc.Asked{Resource: project})
		if err != nil || undecided == nil {
			return err
		}
		return undecided.Decide(ctx, project)
	}
}

// WatchProject implements ProjectServiceHandler.
func (p *Projects) WatchProject(ctx context.Context, request *workflowv1.WatchProjectRequest, send func(*workflowv1.WatchProjectResponse) error) error {
	work := call.From(ctx)
	watched := call.Resource{Type: "project", ID: id.ParseOrZero(request.GetProjectId()), ProjectID: id.ParseOrZero(request.GetProjectId())}
	// Who created the project is of no account to who may watch all of it, unless nothing else lets them.
	if work.CheckDecided() != nil {
		project, err := p.app.GetProject(ctx, watched.ID)
		if err != nil {
			return err
		}
		watched.OwnerID = project.OwnerID
	}
	return p.hub.Watch(ctx, live.Request{
		Project:     domain.ProjectRef{OrganizationID: work.OrganizationID, ProjectID: watched.ID},
		UserID:      work.Actor.UserID,
		LastEventID: request.GetLastEventId(),
		Check:       p.watching.check(work, watched),
	}, send)
}
