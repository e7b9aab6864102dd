package authz

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
)

var errKeyExceedsMaker = errs.New(errs.PermissionDenied, "KEY_EXCEEDS_MAKER",
	"Whoever made this API key does not hold the permission any more: have the key rotated by somebody who does.")

// boundByMaker answers nil when a caller's key was made by somebody who holds the permission themselves, in the whole
// organization and at this moment. Otherwise a key would be a way to do by a service account what one may not do oneself.
// Like the policy it is asked of who calls only.
func (a *Access) boundByMaker(ctx context.Context, own key, permission string) error {
	actor := &call.From(ctx).Actor
	if actor.Limits == nil || actor.Limits.MakerID.IsZero() || actor.UserID != own.userID {
		return nil
	}
	err := a.authorize(ctx, key{organizationID: own.organizationID, userID: actor.Limits.MakerID}, permission)
	switch errs.KindOf(err) {
	case errs.NotFound, errs.PermissionDenied:
		return errKeyExceedsMaker.With("permission", permission)
	default:
		return err
	}
}
