package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// ListRoles lists the roles with their permissions.
func (h *Handlers) ListRoles(ctx context.Context, request *organizationv1.ListRolesRequest) (*organizationv1.ListRolesResponse, error) {
	next, roles, err := h.app.ListRoles(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListRolesResponse{NextPageToken: next}
	for _, role := range roles {
		response.Roles = append(response.Roles, app.EncodeRole(role))
	}
	return response, nil
}

// GetRole returns one role.
func (h *Handlers) GetRole(ctx context.Context, request *organizationv1.GetRoleRequest) (*organizationv1.Role, error) {
	role, err := h.app.GetRole(ctx, id.ParseOrZero(request.GetOrganizationId()), request.GetRoleId())
	if err != nil {
		return nil, err
	}
	return app.EncodeRole(role), nil
}

// CreateRole makes a role.
func (h *Handlers) CreateRole(ctx context.Context, request *organizationv1.CreateRoleRequest) (*organizationv1.Role, error) {
	return h.changeRole(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Role, error) {
		return h.app.CreateRole(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), decodeContent(request))
	})
}

var roleFields = fieldmask.For(&organizationv1.Role{})

// UpdateRole changes a role.
func (h *Handlers) UpdateRole(ctx context.Context, request *organizationv1.UpdateRoleRequest) (*organizationv1.Role, error) {
	fields, err := roleFields.Read(request.GetUpdateMask(), request.GetRole())
	if err != nil {
		return nil, err
	}
	wanted := decodeContent(request.GetRole())
	change := func(content *domain.RoleContent) {
		if fields.Has("display_name") {
			content.DisplayName = wanted.DisplayName
		}
		if fields.Has("description") {
			content.Description = wanted.Description
		}
		if fields.Has("permissions") {
			content.Allowed = wanted.Allowed
		}
		if fields.Has("denied_permissions") {
			content.Denied = wanted.Denied
		}
		if fields.Has("parents") {
			content.Parents = wanted.Parents
		}
	}
	return h.changeRole(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Role, error) {
		return h.app.UpdateRole(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetRoleId(), request.GetRole().GetEtag(), change)
	})
}

// RestoreRole makes a role what it was.
func (h *Handlers) RestoreRole(ctx context.Context, request *organizationv1.RestoreRoleRequest) (*organizationv1.Role, error) {
	return h.changeRole(ctx, func(ctx context.Context, tx *pg.Tx) (domain.Role, error) {
		return h.app.RestoreRole(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetRoleId(), request.GetVersion(), request.GetEtag())
	})
}

// changeRole answers with a role as it was just written.
func (h *Handlers) changeRole(ctx context.Context, change func(context.Context, *pg.Tx) (domain.Role, error)) (*organizationv1.Role, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Role, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return app.EncodeRole(changed), nil
	})
}

// DeleteRole removes a role.
func (h *Handlers) DeleteRole(ctx context.Context, request *organizationv1.DeleteRoleRequest) (*organizationv1.DeleteRoleResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.DeleteRoleResponse, error) {
		revision, err := h.app.DeleteRole(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetRoleId())
		if err != nil {
			return nil, err
		}
		return &organizationv1.DeleteRoleResponse{AccessRevision: app.EncodeRevision(revision)}, nil
	})
}

// ListRoleVersions lists what a role was.
func (h *Handlers) ListRoleVersions(ctx context.Context, request *organizationv1.ListRoleVersionsRequest) (*organizationv1.ListRoleVersionsResponse, error) {
	page := list.Request{PageSize: request.GetPageSize(), PageToken: request.GetPageToken()}
	next, versions, err := h.app.ListRoleVersions(ctx, id.ParseOrZero(request.GetOrganizationId()), request.GetRoleId(), page)
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListRoleVersionsResponse{NextPageToken: next}
	for _, version := range versions {
		response.Versions = append(response.Versions, encodeVersion(version))
	}
	return response, nil
}

func encodeVersion(version domain.RoleVersion) *organizationv1.RoleVersion {
	role := app.EncodeContent(version.Content)
	role.Id, role.Version = version.RoleID.String(), version.Version
	encoded := &organizationv1.RoleVersion{
		Role: role, CreateTime: timestamppb.New(version.CreatedAt), AuthorId: version.AuthorID.String(),
	}
	for _, difference := range version.Differences {
		encoded.Differences = append(encoded.Differences, &organizationv1.RoleVersion_Difference{
			Field: difference.Field, Added: difference.Added, Removed: difference.Removed,
		})
	}
	return encoded
}

var inheritances = map[organizationv1.Role_Inheritance]domain.Inheritance{
	organizationv1.Role_FULL: domain.Full, organizationv1.Role_PARTIAL: domain.Partial, organizationv1.Role_CONDITIONAL: domain.Conditional,
}

// roleContent is what a role and the request for one have in common.
type roleContent interface {
	GetDisplayName() string
	GetDescription() string
	GetPermissions() []string
	GetDeniedPermissions() []string
	GetParents() []*organizationv1.Role_Parent
}

func decodeContent(role roleContent) domain.RoleContent {
	content := domain.RoleContent{
		DisplayName: role.GetDisplayName(), Description: role.GetDescription(), Allowed: role.GetPermissions(), Denied: role.GetDeniedPermissions(),
	}
	for _, parent := range role.GetParents() {
		content.Parents = append(content.Parents, domain.Parent{
			RoleID: parent.GetRoleId(), Inheritance: inheritances[parent.GetInheritance()], Permissions: parent.GetPermissions(),
			Condition: parent.GetCondition(),
		})
	}
	return content
}
