package rpc

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
)

// Refusals hears of members who were refused for lack of a permission; it must not block.
type Refusals interface {
	// Refused gets the permission and the reason that the refusal was answered with.
	Refused(ctx context.Context, permission, reason string)
}

// reportRefusal tells of a member who lacks a permission, whether the chain or the handler has found that out.
func (c *Chain) reportRefusal(ctx context.Context, method *Method, work *call.Call, err error) {
	if c.Refusals == nil || work.OrganizationID.IsZero() || errs.KindOf(err) != errs.PermissionDenied {
		return
	}
	refusal := errs.From(err)
	permission := refusal.Metadata["permission"]
	if permission == "" {
		permission = method.Permission
	}
	c.Refusals.Refused(ctx, permission, refusal.Reason)
}
