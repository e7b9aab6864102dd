package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

var errPageToken = errs.New(errs.InvalidArgument, "PAGE_TOKEN_INVALID", "The page token was not made for this list, filter and order.").
	WithViolation(errs.Violation{Field: "pageToken", Rule: "page_token.invalid", Message: "was not made for this list, filter and order"})

// ListRoles lists the roles with their permissions, the least first.
func (h *Handlers) ListRoles(_ context.Context, request *organizationv1.ListRolesRequest) (*organizationv1.ListRolesResponse, error) {
	roles := h.app.Roles.List()
	if token := request.GetPageToken(); token != "" {
		last := slices.IndexFunc(roles, func(role domain.Role) bool { return roleToken(request, role) == token })
		if last < 0 {
			return nil, errPageToken
		}
		roles = roles[last+1:]
	}
	response := &organizationv1.ListRolesResponse{}
	size := min(cmp.Or(int(request.GetPageSize()), list.DefaultPageSize), list.MaxPageSize)
	if len(roles) > size {
		roles = roles[:size]
		response.NextPageToken = roleToken(request, roles[size-1])
	}
	for _, role := range roles {
		response.Roles = append(response.Roles, encodeRole(role))
	}
	return response, nil
}

// roleToken is the page token after a role. Roles are not in the database, so it is none of platform/list's.
func roleToken(request *organizationv1.ListRolesRequest, role domain.Role) string {
	sum := sha256.Sum256([]byte("braid role page token\x00" + request.GetOrganizationId() + "\x00" + role.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// CheckAccess says whether the caller, or another user, holds a permission.
func (h *Handlers) CheckAccess(ctx context.Context, request *organizationv1.CheckAccessRequest) (*organizationv1.CheckAccessResponse, error) {
	userID := call.From(ctx).Actor.UserID
	if request.GetUserId() != "" {
		userID = decodeID(request.GetUserId())
	}
	access, err := h.app.CheckAccess(ctx, decodeID(request.GetOrganizationId()), userID, request.GetPermission())
	if err != nil {
		return nil, err
	}
	return &organizationv1.CheckAccessResponse{Allowed: access.Allowed, Reason: access.Reason}, nil
}

// GetEffectivePermissions answers another service with all that a user may do.
func (h *Handlers) GetEffectivePermissions(ctx context.Context, request *organizationv1.GetEffectivePermissionsRequest) (*organizationv1.GetEffectivePermissionsResponse, error) {
	roleIDs, permissions, err := h.app.GetEffectivePermissions(ctx, decodeID(request.GetOrganizationId()), decodeID(request.GetUserId()))
	if err != nil {
		return nil, err
	}
	return &organizationv1.GetEffectivePermissionsResponse{Member: len(roleIDs) > 0, RoleIds: roleIDs, Permissions: permissions}, nil
}
