package api

import (
	"context"

	organizationv1 "github.com/braidhq/braid/gen/go/braid/organization/v1"
	"github.com/braidhq/braid/platform/fieldmask"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/idempotency"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/app"
)

// GetPolicy returns the policy.
func (h *Handlers) GetPolicy(ctx context.Context, request *organizationv1.GetPolicyRequest) (*organizationv1.Policy, error) {
	policy, err := h.app.GetPolicy(ctx, id.ParseOrZero(request.GetOrganizationId()))
	if err != nil {
		return nil, err
	}
	return app.EncodePolicy(policy), nil
}

var policyFields = fieldmask.For(&organizationv1.Policy{})

// UpdatePolicy changes the policy.
func (h *Handlers) UpdatePolicy(ctx context.Context, request *organizationv1.UpdatePolicyRequest) (*organizationv1.Policy, error) {
	fields, err := policyFields.Read(request.GetUpdateMask(), request.GetPolicy())
	if err != nil {
		return nil, err
	}
	change := decodePolicy(fields, request.GetPolicy())
	return idempotency.Run(ctx, h.runner, func(ctx context.Context, tx *pg.Tx) (*organizationv1.Policy, error) {
		updated, err := h.app.UpdatePolicy(ctx, tx, id.ParseOrZero(request.GetOrganizationId()), change)
		if err != nil {
			return nil, err
		}
		return app.EncodePolicy(updated), nil
	})
}

func decodePolicy(fields fieldmask.Update, wanted *organizationv1.Policy) app.PolicyChange {
	change := app.PolicyChange{Etag: wanted.GetEtag()}
	if fields.Has("second_factor") {
		required := wanted.GetSecondFactor() == organizationv1.Policy_REQUIRED
		change.SecondFactor = &required
	}
	if fields.Has("second_factor_grace_days") {
		change.GraceDays = &wanted.SecondFactorGraceDays
	}
	if fields.Has("session_max_age") {
		change.SessionMaxAge = &wanted.SessionMaxAge
	}
	if fields.Has("session_max_pause") {
		change.SessionMaxPause = &wanted.SessionMaxPause
	}
	if fields.Has("allowed_networks") {
		change.Networks = &wanted.AllowedNetworks
	}
	if fields.Has("invitation_domains") {
		change.InvitationDomains = &wanted.InvitationDomains
	}
	if fields.Has("api_keys") {
		allowed := wanted.GetApiKeys() != organizationv1.Policy_FORBIDDEN
		change.APIKeys = &allowed
	}
	return change
}
