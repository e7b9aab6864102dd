package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// CreateOrganization makes an organization with the caller as its owner.
func (h *Handlers) CreateOrganization(ctx context.Context, request *organizationv1.CreateOrganizationRequest) (*organizationv1.Organization, error) {
	// Asked before the transaction: none is held open while another service answers.
	founder, err := h.app.Directory.GetPerson(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Organization, error) {
		created, err := h.app.CreateOrganization(ctx, tx, founder, request.GetDisplayName(), request.GetSlug())
		if err != nil {
			return nil, err
		}
		encoded := encodeOrganization(created)
		encoded.AccessRevision = writtenRevision(ctx)
		return encoded, nil
	})
}

// ListOrganizations lists the caller's organizations.
func (h *Handlers) ListOrganizations(ctx context.Context, request *organizationv1.ListOrganizationsRequest) (*organizationv1.ListOrganizationsResponse, error) {
	next, organizations, err := h.app.ListOrganizations(ctx, list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListOrganizationsResponse{NextPageToken: next}
	for _, organization := range organizations {
		response.Organizations = append(response.Organizations, encodeOrganization(organization))
	}
	return response, nil
}

// GetOrganization returns one organization.
func (h *Handlers) GetOrganization(ctx context.Context, request *organizationv1.GetOrganizationRequest) (*organizationv1.Organization, error) {
	organization, err := h.app.GetOrganization(ctx, id.ParseOrZero(request.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	return encodeOrganization(organization), nil
}

var organizationFields = fieldmask.For(&organizationv1.Organization{})

// UpdateOrganization changes an organization's names.
func (h *Handlers) UpdateOrganization(ctx context.Context, request *organizationv1.UpdateOrganizationRequest) (*organizationv1.Organization, error) {
	wanted := request.GetOrganization()
	fields, err := organizationFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	change := app.OrganizationChange{Etag: wanted.GetEtag()}
	if fields.Has("display_name") {
		change.DisplayName = &wanted.DisplayName
	}
	if fields.Has("slug") {
		if wanted.GetSlug() == "" {
			return nil, errs.Invalid("organization.slug", "string.min_len", "must not be empty")
		}
		change.Slug = &wanted.Slug
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Organization, error) {
		updated, err := h.app.UpdateOrganization(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), change)
		if err != nil {
			return nil, err
		}
		return encodeOrganization(updated), nil
	})
}
