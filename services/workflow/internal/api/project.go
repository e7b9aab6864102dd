package api

import (
	"context"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/app"
	"github.com/braidhq/braid/services/workflow/internal/live"
)

// Projects serves braid.workflow.v1.ProjectService.
type Projects struct {
	app      *app.App
	runner   idempotency.Runner
	hub      *live.Hub
	watching Watching
}

// NewProjects returns the handlers of projects.
func NewProjects(app *app.App, runner idempotency.Runner, hub *live.Hub, watching Watching) *Projects {
	return &Projects{app: app, runner: runner, hub: hub, watching: watching}
}

// CreateProject implements ProjectServiceHandler.
func (p *Projects) CreateProject(ctx context.Context, request *workflowv1.CreateProjectRequest) (*workflowv1.Project, error) {
	return idempotency.Run(ctx, p.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Project, error) {
		project, err := p.app.CreateProject(ctx, tx, request.GetKey(), request.GetDisplayName(), request.GetDescription())
		if err != nil {
			return nil, err
		}
		return app.EncodeProject(project), nil
	})
}

// ListProjects implements ProjectServiceHandler.
func (p *Projects) ListProjects(ctx context.Context, request *workflowv1.ListProjectsRequest) (*workflowv1.ListProjectsResponse, error) {
	projects, next, err := p.app.ListProjects(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	return &workflowv1.ListProjectsResponse{Projects: encodeAll(projects, app.EncodeProject), NextPageToken: next}, nil
}

// GetProject implements ProjectServiceHandler.
func (p *Projects) GetProject(ctx context.Context, request *workflowv1.GetProjectRequest) (*workflowv1.Project, error) {
	project, err := p.app.GetProject(ctx, id.ParseOrZero(request.GetProjectId()))
	if err != nil {
		return nil, err
	}
	return app.EncodeProject(project), nil
}

var projectFields = fieldmask.For(&workflowv1.Project{})

// UpdateProject implements ProjectServiceHandler.
func (p *Projects) UpdateProject(ctx context.Context, request *workflowv1.UpdateProjectRequest) (*workflowv1.Project, error) {
	fields, err := projectFields.Read(request.GetUpdateMask(), request.GetProject())
	if err != nil {
		return nil, err
	}
	sent := request.GetProject()
	update := app.ProjectUpdate{ETag: sent.GetEtag()}
	if fields.Has("display_name") {
		update.DisplayName = &sent.DisplayName
	}
	if fields.Has("description") {
		update.Description = &sent.Description
	}
	return idempotency.Run(ctx, p.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Project, error) {
		project, err := p.app.UpdateProject(ctx, tx, id.ParseOrZero(request.GetProjectId()), update)
		if err != nil {
			return nil, err
		}
		encoded := app.EncodeProject(project)
		return encoded, fields.Keeps(encoded, "project")
	})
}

// ArchiveProject implements ProjectServiceHandler.
func (p *Projects) ArchiveProject(ctx context.Context, request *workflowv1.ArchiveProjectRequest) (*workflowv1.Project, error) {
	return idempotency.Run(ctx, p.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Project, error) {
		project, err := p.app.ArchiveProject(ctx, tx, id.ParseOrZero(request.GetProjectId()), request.GetEtag())
		if err != nil {
			return nil, err
		}
		return app.EncodeProject(project), nil
	})
}

// UnarchiveProject implements ProjectServiceHandler.
func (p *Projects) UnarchiveProject(ctx context.Context, request *workflowv1.UnarchiveProjectRequest) (*workflowv1.Project, error) {
	return idempotency.Run(ctx, p.runner, func(ctx context.Context, tx *pg.Tx) (*workflowv1.Project, error) {
		project, err := p.app.UnarchiveProject(ctx, tx, id.ParseOrZero(request.GetProjectId()), request.GetEtag())
		if err != nil {
			return nil, err
		}
		return app.EncodeProject(project), nil
	})
}
