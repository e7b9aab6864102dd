package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// policyRow is a row of the table as to_jsonb writes it.
type policyRow struct {
	OrganizationID        id.ID      `json:"organization_id"`
	SecondFactor          bool       `json:"second_factor"`
	SecondFactorGraceDays int32      `json:"second_factor_grace_days"`
	SecondFactorSince     *time.Time `json:"second_factor_since"`
	SessionMaxAge         int32      `json:"session_max_age"`
	AllowedNetworks       []string   `json:"allowed_networks"`
	InvitationDomains     []string   `json:"invitation_domains"`
	ApiKeys               bool       `json:"api_keys"` //nolint:revive // As the generated row spells it, which this is converted to.
	UpdatedAt             time.Time  `json:"updated_at"`
	Revision              int64      `json:"revision"`
	SessionMaxPause       int32      `json:"session_max_pause"`
}

// policyFrom reads a policy as a statement has brought it along; none is one that asks for nothing.
func policyFrom(encoded []byte) (domain.Policy, error) {
	if len(encoded) == 0 {
		return domain.NoPolicy(), nil
	}
	var row policyRow
	if err := json.Unmarshal(encoded, &row); err != nil {
		return domain.Policy{}, fmt.Errorf("read policy: %w", err)
	}
	return policy(db.Policy(row)), nil
}

func policy(row db.Policy) domain.Policy {
	return domain.Policy{
		SecondFactor: row.SecondFactor, GraceDays: row.SecondFactorGraceDays, SecondFactorSince: timeFrom(row.SecondFactorSince),
		SessionMaxAge: row.SessionMaxAge, Networks: row.AllowedNetworks, InvitationDomains: row.InvitationDomains,
		APIKeys: row.ApiKeys, UpdatedAt: row.UpdatedAt, Revision: row.Revision, SessionMaxPause: row.SessionMaxPause,
	}
}

// GetPolicy returns an organization's policy; one that it has never set asks for nothing.
func GetPolicy(ctx context.Context, querier pg.Querier, organizationID id.ID) (domain.Policy, error) {
	row, err := db.New(querier).GetPolicy(ctx, organizationID)
	if err = one("read policy", err); errors.Is(err, errs.ErrNotFound) {
		return domain.NoPolicy(), nil
	}
	return policy(row), err
}

// SavePolicy writes an organization's policy, with the transaction's next statement.
func SavePolicy(ctx context.Context, tx *pg.Tx, organizationID id.ID, saved domain.Policy) error {
	return queue(tx).SavePolicy(ctx, db.SavePolicyParams{
		OrganizationID: organizationID, SecondFactor: saved.SecondFactor, SecondFactorGraceDays: saved.GraceDays,
		SecondFactorSince: timeOrNil(saved.SecondFactorSince), SessionMaxAge: saved.SessionMaxAge, AllowedNetworks: saved.Networks,
		InvitationDomains: saved.InvitationDomains, ApiKeys: saved.APIKeys, UpdatedAt: saved.UpdatedAt, Revision: saved.Revision,
		SessionMaxPause: saved.SessionMaxPause,
	})
}
