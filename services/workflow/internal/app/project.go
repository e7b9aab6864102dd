package app

import (
	"context"

	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/workflow/internal/domain"
	"github.com/braidhq/braid/services/workflow/internal/store"
)

// ProjectUpdate is what a caller wants changed.
type ProjectUpdate struct {
	domain.ProjectPatch
	ETag string
}

// CreateProject makes a project. It is the one change that no watcher can see: there was nothing to watch.
func (a *App) CreateProject(ctx context.Context, tx *pg.Tx, key, displayName, description string) (domain.Project, error) {
	now := a.clock.Now()
	project, err := domain.NewProject(call.From(ctx).OrganizationID, call.From(ctx).Actor.UserID, key, displayName, description, now)
	if err != nil {
		return domain.Project{}, err
	}
	if err := store.InsertProject(ctx, tx, project); err != nil {
		return domain.Project{}, err
	}
	return project, a.record(ctx, tx, project, fact{
		subject: projectSubject(project), event: &workflowv1.ProjectCreated{Project: EncodeProject(project)},
	}, now)
}

// GetProject returns a project of the caller's organization.
func (a *App) GetProject(ctx context.Context, projectID id.ID) (domain.Project, error) {
	scope := pg.ScopeOf(ctx)
	project, err := store.GetProject(ctx, a.database.Point(scope), scope.OrganizationID, projectID)
	return project, authorizeProject(ctx, project, err)
}

// authorizeProject goes on with a project that was read when the caller may do with it what they are about to.
func authorizeProject(ctx context.Context, project domain.Project, err error) error {
	if err != nil {
		return err
	}
	return call.From(ctx).Authorize(ctx, call.Resource{Type: "project", ID: project.ID, ProjectID: project.ID, OwnerID: project.OwnerID})
}

// lockProject returns a project that the caller may do with what they are about to, locked.
func (a *App) lockProject(ctx context.Context, tx *pg.Tx, projectID id.ID) (domain.Project, error) {
	project, err := store.LockProject(ctx, tx, call.From(ctx).OrganizationID, projectID)
	return project, authorizeProject(ctx, project, err)
}

// ListProjects returns a page of those of the organization's projects that the caller may see, and the token of the
// next one.
func (a *App) ListProjects(ctx context.Context, request list.Request) ([]domain.Project, string, error) {
	scope := pg.ScopeOf(ctx)
	request.Binding = []string{scope.OrganizationID.String()}
	query, err := store.Projects.Parse(request)
	if err != nil {
		return nil, "", err
	}
	return store.ListProjects(ctx, a.database.Read(scope), query, scope.OrganizationID, visible(ctx))
}

// UpdateProject changes a project's texts. Without a difference nothing happens.
func (a *App) UpdateProject(ctx context.Context, tx *pg.Tx, projectID id.ID, update ProjectUpdate) (domain.Project, error) {
	now := a.clock.Now()
	project, err := a.lockProject(ctx, tx, projectID)
	if err != nil {
		return domain.Project{}, err
	}
	if err := project.CheckWritable(); err != nil {
		return domain.Project{}, err
	}
	if err := domain.CheckETag(update.ETag, project.OwnRevision); err != nil {
		return domain.Project{}, err
	}
	changed, err := project.Update(update.ProjectPatch, now)
	if err != nil || !changed {
		return project, err
	}
	encoded := EncodeProject(project)
	return project, a.saveProject(ctx, tx, project, "project.updated", encoded, &workflowv1.ProjectUpdated{Project: encoded})
}

// ArchiveProject makes a project read-only; one that is stays as it is.
func (a *App) ArchiveProject(ctx context.Context, tx *pg.Tx, projectID id.ID, etag string) (domain.Project, error) {
	project, err := a.lockProject(ctx, tx, projectID)
	if err != nil {
		return domain.Project{}, err
	}
	if err := domain.CheckETag(etag, project.OwnRevision); err != nil {
		return domain.Project{}, err
	}
	if !project.Archive(a.clock.Now()) {
		return project, nil
	}
	encoded := EncodeProject(project)
	return project, a.saveProject(ctx, tx, project, "project.archived", encoded, &workflowv1.ProjectArchived{Project: encoded})
}

// UnarchiveProject makes a project writable again; one that is stays as it is.
func (a *App) UnarchiveProject(ctx context.Context, tx *pg.Tx, projectID id.ID, etag string) (domain.Project, error) {
	project, err := a.lockProject(ctx, tx, projectID)
	if err != nil {
		return domain.Project{}, err
	}
	if err := domain.CheckETag(etag, project.OwnRevision); err != nil {
		return domain.Project{}, err
	}
	if !project.Unarchive(a.clock.Now()) {
		return project, nil
	}
	encoded := EncodeProject(project)
	return project, a.saveProject(ctx, tx, project, "project.unarchived", encoded, &workflowv1.ProjectUnarchived{Project: encoded})
}

func (a *App) saveProject(ctx context.Context, tx *pg.Tx, project domain.Project, change string, encoded *workflowv1.Project, event proto.Message) error {
	if err := store.SaveProject(ctx, tx, project); err != nil {
		return err
	}
	return a.record(ctx, tx, project, fact{
		subject: projectSubject(project), revision: project.Revision, event: event,
		change: &workflowv1.ProjectChange{Type: change, Project: encoded},
	}, project.UpdateTime)
}
