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

// ListPermissions lists the permissions.
func (h *Handlers) ListPermissions(ctx context.Context, request *organizationv1.ListPermissionsRequest) (*organizationv1.ListPermissionsResponse, error) {
	next, permissions, err := h.app.ListPermissions(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListPermissionsResponse{NextPageToken: next}
	for _, permission := range permissions {
		response.Permissions = append(response.Permissions, encodePermission(permission))
	}
	return response, nil
}

// CreatePermission adds a permission.
func (h *Handlers) CreatePermission(ctx context.Context, request *organizationv1.CreatePermissionRequest) (*organizationv1.Permission, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Permission, error) {
		created, err := h.app.CreatePermission(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetName(), request.GetDescription())
		if err != nil {
			return nil, err
		}
		return encodePermission(created), nil
	})
}

var permissionFields = fieldmask.For(&organizationv1.Permission{})

// UpdatePermission changes what is said of a permission.
func (h *Handlers) UpdatePermission(ctx context.Context, request *organizationv1.UpdatePermissionRequest) (*organizationv1.Permission, error) {
	fields, err := permissionFields.Read(request.GetUpdateMask(), request.GetPermission())
	if err != nil {
		return nil, err
	}
	var description *string
	if fields.Has("description") {
		description = &request.GetPermission().Description
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Permission, error) {
		updated, err := h.app.UpdatePermission(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetPermissionName(), description)
		if err != nil {
			return nil, err
		}
		encoded := encodePermission(updated)
		return encoded, fields.Keeps(encoded, "permission")
	})
}

// DeletePermission removes a permission.
func (h *Handlers) DeletePermission(ctx context.Context, request *organizationv1.DeletePermissionRequest) (*organizationv1.DeletePermissionResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.DeletePermissionResponse, error) {
		revision, err := h.app.DeletePermission(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetPermissionName())
		if err != nil {
			return nil, err
		}
		return &organizationv1.DeletePermissionResponse{AccessRevision: app.EncodeRevision(revision)}, nil
	})
}

func encodePermission(permission domain.Permission) *organizationv1.Permission {
	encoded := &organizationv1.Permission{
		Name: permission.Name, Description: permission.Description, System: permission.System,
		AccessRevision: app.EncodeRevision(permission.AccessRevision),
	}
	if !permission.System {
		encoded.CreateTime = timestamppb.New(permission.CreatedAt)
	}
	return encoded
}
