package app

import (
	"context"
	"errors"
	"strings"

	identityv1 "github.com/braidhq/braid/gen/go/braid/identity/v1"
	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/mailaddress"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// ListOperators returns a page of the operators and the token of the next.
func (a *App) ListOperators(ctx context.Context, request list.Request) (string, []domain.Operator, error) {
	query, err := store.Operators.Parse(request)
	if err != nil {
		return "", nil, err
	}
	return store.ListOperators(ctx, a.DB.Read(pg.ScopeOf(ctx)), query)
}

// GetOperator returns an operator.
func (a *App) GetOperator(ctx context.Context, userID id.ID) (domain.Operator, error) {
	return store.GetOperator(ctx, a.DB.Read(pg.ScopeOf(ctx)), userID)
}

// CreateOperator makes the person with an address an operator. Whether the person had an account before shows in nothing
// that is answered.
func (a *App) CreateOperator(ctx context.Context, tx *pg.Tx, email, displayName string, role domain.OperatorRole) (domain.Operator, error) {
	user, err := a.accountFor(ctx, tx, email, displayName)
	if err != nil {
		return domain.Operator{}, err
	}
	actor := call.From(ctx).Actor
	store.ActAs(tx, actor.UserID)
	_, err = store.GetOperator(ctx, tx, user.ID)
	if err == nil {
		return domain.Operator{}, domain.ErrOperatorExists
	}
	if !errors.Is(err, errs.ErrNotFound) {
		return domain.Operator{}, err
	}
	made := domain.NewOperator(user, role, actor.UserID, a.Clock.Now())
	if err := store.CreateOperator(ctx, tx, made); err != nil {
		return domain.Operator{}, err
	}
	return made, a.operatorCreated(ctx, tx, made)
}

// ExplainOperatorRace turns the failure of a CreateOperator that somebody was faster than into what it means.
func ExplainOperatorRace(err error) error {
	switch {
	case store.IsOperatorTaken(err):
		return domain.ErrOperatorExists
	case store.IsAddressTaken(err):
		return errs.New(errs.Unavailable, "UNAVAILABLE", "Somebody has just registered with this address: try again.").WithCause(err)
	default:
		return err
	}
}

// accountFor returns whose an address is, and makes an account without a password when it is nobody's: a link to set one
// is mailed there, which is also how the address is proven. The transaction acts as that user afterwards.
func (a *App) accountFor(ctx context.Context, tx *pg.Tx, email, displayName string) (domain.User, error) {
	address := domain.ParseAddress(email)
	if err := mailaddress.Check("email", address.Typed); err != nil {
		return domain.User{}, err
	}
	known, err := store.FindCredential(ctx, tx, address)
	if err != nil || !known.User.ID.IsZero() {
		return known.User, err
	}
	name, err := domain.NameOperator(displayName, address)
	if err != nil {
		return domain.User{}, err
	}
	user := domain.NewUser(address.Typed, name, a.Clock.Now())
	store.ActAs(tx, user.ID)
	store.UseAddress(tx, address)
	if err := store.CreateUser(ctx, tx, user, address, ""); err != nil {
		return domain.User{}, err
	}
	if err := store.DeletePending(ctx, tx, address); err != nil {
		return domain.User{}, err
	}
	if err := a.userRegistered(ctx, tx, user); err != nil {
		return domain.User{}, err
	}
	reset := a.newPasswordReset(address)
	if err := store.CreatePasswordReset(ctx, tx, reset); err != nil {
		return domain.User{}, err
	}
	return user, a.passwordResetRequested(ctx, tx, reset)
}

// UpdateOperator gives an operator another role; the empty one asks for nothing.
func (a *App) UpdateOperator(ctx context.Context, tx *pg.Tx, userID id.ID, role domain.OperatorRole, etag string) (domain.Operator, error) {
	shown, err := store.GetOperator(ctx, tx, userID)
	if err != nil {
		return domain.Operator{}, err
	}
	locked, admins, err := store.LockOperator(ctx, tx, userID)
	if err != nil {
		return domain.Operator{}, err
	}
	locked.Email, locked.Secured = shown.Email, shown.Secured
	changed, different, err := locked.Change(role, etag, admins, a.Clock.Now())
	if err != nil || !different {
		return changed, err
	}
	if err := store.UpdateOperator(ctx, tx, changed); err != nil {
		return domain.Operator{}, err
	}
	if err := a.endRole(ctx, tx, userID); err != nil {
		return domain.Operator{}, err
	}
	return changed, a.operatorUpdated(ctx, tx, changed, locked.Role)
}

// DeleteOperator takes the role from an operator.
func (a *App) DeleteOperator(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	locked, admins, err := store.LockOperator(ctx, tx, userID)
	if err != nil {
		return err
	}
	if err := locked.CheckEnd(admins); err != nil {
		return err
	}
	return a.removeOperator(ctx, tx, locked)
}

func (a *App) removeOperator(ctx context.Context, tx *pg.Tx, locked domain.Operator) error {
	if err := store.DeleteOperator(ctx, tx, locked.UserID); err != nil {
		return err
	}
	if err := a.endRole(ctx, tx, locked.UserID); err != nil {
		return err
	}
	return a.operatorRemoved(ctx, tx, locked)
}

// endRole ends the sessions of an operator whose role was just changed or removed: their tokens would go on saying the old
// one. Logins that are under way wait for the operator's row, so none of them is missed.
func (a *App) endRole(ctx context.Context, tx *pg.Tx, userID id.ID) error {
	store.ActAs(tx, userID)
	err := a.endSessions(ctx, tx, userID, id.ID{}, identityv1.SessionRevoked_OPERATOR_ROLE_CHANGED)
	store.ActAs(tx, call.From(ctx).Actor.UserID)
	return err
}

// ResetFactors removes the second factors of a person who has lost them, and ends their sessions: what was opened with a
// lost phone must not stay open. The caller is an operator.
func (a *App) ResetFactors(ctx context.Context, tx *pg.Tx, userID id.ID, reason string) error {
	store.ActAs(tx, userID)
	factors, err := store.LockFactors(ctx, tx, userID)
	if err != nil {
		return err
	}
	if _, err := store.GetUser(ctx, tx, userID); err != nil {
		return err
	}
	confirmed := factors.Confirmed("")
	if len(confirmed) == 0 {
		return domain.ErrNoFactors
	}
	if err := a.disarm(ctx, tx, userID, identityv1.SessionRevoked_FACTORS_RESET_BY_OPERATOR); err != nil {
		return err
	}
	return a.factorsReset(ctx, tx, userID, strings.TrimSpace(reason), len(confirmed))
}
