package pg

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
)

// Scope is whose rows a statement may touch: it becomes app.organization_id and app.user_id, for one transaction only.
// Zero identifiers become the empty text and match no row.
type Scope struct {
	OrganizationID id.ID
	UserID         id.ID
}

// ScopeOf returns the scope of the work in ctx: the organization that was checked, and the acting user.
func ScopeOf(ctx context.Context) Scope {
	current := call.From(ctx)
	return Scope{OrganizationID: current.OrganizationID, UserID: current.Actor.UserID}
}

// setScope and setReadScope are constant texts, so each connection prepares them once. A read is made read-only in
// the same statement: a write that slips into a read path fails instead of being kept.
const (
	setScope = `select set_config('app.organization_id', $1, true), set_config('app.user_id', $2, true)`

	setReadScope = `select set_config('app.organization_id', $1, true), set_config('app.user_id', $2, true), ` +
		`set_config('transaction_read_only', 'on', true)`

	setOnePlanScope = setReadScope + `, set_config('plan_cache_mode', 'force_generic_plan', true)`

	// setPointScope returns no row, which is cheaper to send and to read. The texts are joined so that both are set.
	setPointScope = `select where set_config('app.organization_id', $1, true) || set_config('app.user_id', $2, true) is null`

	// setCallScope stands in a statement over the calls of several requests, as a lateral subquery of each call's row: it
	// sets the scope when the row's turn comes, and only for who looks at is_set. The separator keeps two scopes with
	// different halves apart should results ever be remembered.
	setCallScope = `select set_config('app.organization_id', scope_organization, true) || '/' || set_config('app.user_id', scope_user, true) as is_set offset 0`

	setReadOnly = `select set_config('transaction_read_only', 'on', true)`
)

func (s Scope) arguments() []any {
	return []any{s.OrganizationID.String(), s.UserID.String()}
}
