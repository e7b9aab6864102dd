package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
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
		response.Roles = append(response.Roles, encodeRole(role))
	}
	return response, nil
}

// CheckAccess says whether the caller, or another user, holds a permission.
func (h *Handlers) CheckAccess(ctx context.Context, request *organizationv1.CheckAccessRequest) (*organizationv1.CheckAccessResponse, error) {
	userID := call.From(ctx).Actor.UserID
	if request.GetUserId() != "" {
		userID = id.ParseOrZero(request.GetUserId())
	}
	access, err := h.app.CheckAccess(ctx, id.ParseOrZero(request.GetOrganizationId()), userID, request.GetPermission())
	if err != nil {
		return nil, err
	}
	return &organizationv1.CheckAccessResponse{Allowed: access.Allowed, Reason: access.Reason}, nil
}

// GetEffectivePermissions answers another service with all that a user may do.
func (h *Handlers) GetEffectivePermissions(ctx context.Context, request *organizationv1.GetEffectivePermissionsRequest) (*organizationv1.GetEffectivePermissionsResponse, error) {
	organizationID := id.ParseOrZero(request.GetOrganizationId())
	roleIDs, permissions, err := h.app.GetEffectivePermissions(ctx, organizationID, id.ParseOrZero(request.GetUserId()))
	if err != nil || len(roleIDs) == 0 {
		return &organizationv1.GetEffectivePermissionsResponse{}, err
	}
	state, err := h.app.OrganizationState(ctx, organizationID)
	if err != nil || state == domain.Deleting {
		// Nobody is a member of what is being erased.
		return &organizationv1.GetEffectivePermissionsResponse{}, err
	}
	return &organizationv1.GetEffectivePermissionsResponse{
		Member: true, RoleIds: roleIDs, Permissions: permissions, OrganizationState: organizationStates[state],
	}, nil
}
