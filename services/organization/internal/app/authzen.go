package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// checkPermission is what it takes to ask who may do what.
const checkPermission = "organization.access.check"

// Evaluation is a question that names its organization itself.
type Evaluation struct {
	Asked
	OrganizationID id.ID
	// SubjectType is the caller's word for who is asked about.
	SubjectType string
}

// EvaluateAccess is CheckAccess for a caller whom the chain has not checked in the organization. Whoever may not ask
// there gets a no, the same for an organization that isn't theirs as for one that does not exist.
func (a *App) EvaluateAccess(ctx context.Context, evaluation Evaluation) (Access, error) {
	switch {
	case evaluation.OrganizationID.IsZero():
		return Access{Reason: "unknown_organization"}, nil
	case evaluation.SubjectID.IsZero(),
		evaluation.SubjectType != string(domain.User) && evaluation.SubjectType != string(domain.ServiceAccount):
		return Access{Reason: "unknown_subject"}, nil
	}
	err := a.Authorize(ctx, evaluation.OrganizationID, call.From(ctx).Actor.UserID, checkPermission)
	if err == nil {
		var answer Access
		if answer, err = a.CheckAccess(ctx, evaluation.OrganizationID, evaluation.Asked); err == nil {
			return answer, nil
		}
	}
	switch errs.KindOf(err) {
	case errs.NotFound:
		return Access{Reason: "unknown_organization"}, nil
	case errs.PermissionDenied:
		return Access{Reason: "check_not_permitted"}, nil
	}
	return Access{}, err
}
