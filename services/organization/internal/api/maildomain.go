package api

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// CreateDomain notes a domain.
func (h *Handlers) CreateDomain(ctx context.Context, request *organizationv1.CreateDomainRequest) (*organizationv1.Domain, error) {
	return h.changeDomain(ctx, func(ctx context.Context, tx *pg.Tx) (domain.MailDomain, error) {
		return h.app.CreateDomain(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), request.GetName())
	})
}

// changeDomain answers with a domain as it was just written.
func (h *Handlers) changeDomain(ctx context.Context, change func(context.Context, *pg.Tx) (domain.MailDomain, error)) (*organizationv1.Domain, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Domain, error) {
		changed, err := change(ctx, tx)
		if err != nil {
			return nil, err
		}
		return encodeDomain(changed), nil
	})
}

// ListDomains lists the domains.
func (h *Handlers) ListDomains(ctx context.Context, request *organizationv1.ListDomainsRequest) (*organizationv1.ListDomainsResponse, error) {
	next, domains, err := h.app.ListDomains(ctx, id.ParseOrZero(request.GetOrganizationId()), list.RequestOf(request))
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListDomainsResponse{NextPageToken: next}
	for _, listed := range domains {
		response.Domains = append(response.Domains, encodeDomain(listed))
	}
	return response, nil
}

// GetDomain returns a domain.
func (h *Handlers) GetDomain(ctx context.Context, request *organizationv1.GetDomainRequest) (*organizationv1.Domain, error) {
	found, err := h.app.GetDomain(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetDomainId()))
	if err != nil {
		return nil, err
	}
	return encodeDomain(found), nil
}

var domainFields = fieldmask.For(&organizationv1.Domain{})

// UpdateDomain changes what a domain is used for.
func (h *Handlers) UpdateDomain(ctx context.Context, request *organizationv1.UpdateDomainRequest) (*organizationv1.Domain, error) {
	wanted := request.GetDomain()
	fields, err := domainFields.Read(request.GetUpdateMask(), wanted)
	if err != nil {
		return nil, err
	}
	change := app.DomainChange{Etag: wanted.GetEtag()}
	if fields.Has("auto_join_role_id") {
		change.AutoJoinRoleID = &wanted.AutoJoinRoleId
	}
	if fields.Has("capture") {
		change.Capture = &wanted.Capture
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Domain, error) {
		updated, err := h.app.UpdateDomain(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetDomainId()), change)
		if err != nil {
			return nil, err
		}
		encoded := encodeDomain(updated)
		return encoded, fields.Keeps(encoded, "domain")
	})
}

// VerifyDomain looks a domain's record up.
func (h *Handlers) VerifyDomain(ctx context.Context, request *organizationv1.VerifyDomainRequest) (*organizationv1.Domain, error) {
	// Asked before the transaction: none is held open while a name server answers.
	proof, err := h.app.LookUpDomain(ctx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetDomainId()))
	if err != nil {
		return nil, err
	}
	return h.changeDomain(ctx, func(ctx context.Context, tx *pg.Tx) (domain.MailDomain, error) {
		return h.app.VerifyDomain(ctx, tx, proof)
	})
}

// DeleteDomain forgets a domain.
func (h *Handlers) DeleteDomain(ctx context.Context, request *organizationv1.DeleteDomainRequest) (*organizationv1.DeleteDomainResponse, error) {
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.DeleteDomainResponse, error) {
		return &organizationv1.DeleteDomainResponse{}, h.app.DeleteDomain(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), id.ParseOrZero(request.GetDomainId()))
	})
}

// ListJoinableOrganizations lists what the caller may join by their address.
func (h *Handlers) ListJoinableOrganizations(ctx context.Context, _ *organizationv1.ListJoinableOrganizationsRequest) (*organizationv1.ListJoinableOrganizationsResponse, error) {
	person, err := h.app.Directory.GetPerson(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	joinable, err := h.app.ListJoinable(ctx, person)
	if err != nil {
		return nil, err
	}
	response := &organizationv1.ListJoinableOrganizationsResponse{}
	for _, found := range joinable {
		response.Organizations = append(response.Organizations, &organizationv1.JoinableOrganization{
			OrganizationId: found.Organization.ID.String(), DisplayName: found.Organization.DisplayName,
			Domain: found.Domain.Name, RoleId: found.Domain.AutoJoinRoleID,
		})
	}
	return response, nil
}

// JoinOrganization makes the caller a member by their address.
func (h *Handlers) JoinOrganization(ctx context.Context, request *organizationv1.JoinOrganizationRequest) (*organizationv1.JoinOrganizationResponse, error) {
	person, err := h.app.Directory.GetPerson(ctx, call.From(ctx).Actor.UserID)
	if err != nil {
		return nil, err
	}
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.JoinOrganizationResponse, error) {
		joined, err := h.app.JoinOrganization(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), person)
		if err != nil {
			return nil, err
		}
		return &organizationv1.JoinOrganizationResponse{Member: encodeMember(joined)}, nil
	})
}

var domainStates = map[domain.DomainState]organizationv1.Domain_State{
	domain.DomainPending: organizationv1.Domain_PENDING, domain.DomainVerified: organizationv1.Domain_VERIFIED,
	domain.DomainLost: organizationv1.Domain_LOST,
}

func encodeDomain(shown domain.MailDomain) *organizationv1.Domain {
	encoded := &organizationv1.Domain{
		Id: shown.ID.String(), Name: shown.Name, State: domainStates[shown.State], RecordName: shown.RecordName(),
		RecordValue: shown.RecordValue(), AutoJoinRoleId: shown.AutoJoinRoleID, Capture: shown.Capture,
		CreateTime: timestamppb.New(shown.CreatedAt), Etag: domain.Etag(shown.Revision),
	}
	if !shown.VerifiedAt.IsZero() {
		encoded.VerifyTime = timestamppb.New(shown.VerifiedAt)
	}
	return encoded
}

// GetDomainMail answers notification with what to mail about a domain.
func (h *Handlers) GetDomainMail(ctx context.Context, request *organizationv1.GetDomainMailRequest) (*organizationv1.GetDomainMailResponse, error) {
	organizationID := id.ParseOrZero(request.GetOrganizationId())
	told, organization, err := h.app.GetDomainMail(ctx, organizationID, id.ParseOrZero(request.GetDomainId()))
	if err != nil {
		return nil, err
	}
	return &organizationv1.GetDomainMailResponse{
		Domain: told.Name, OrganizationDisplayName: organization.DisplayName, RecordName: told.RecordName(),
		RecordValue: told.RecordValue(), Lost: told.State == domain.DomainLost,
	}, nil
}
