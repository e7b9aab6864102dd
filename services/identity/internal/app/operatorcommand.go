package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/braidhq/braid/platform/clock"
	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/platform/secret"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// OperatorCommands makes and removes operators for whoever runs the deployment's command line: it works on the database
// alone, and so it can make the first admin, and remove the last.
type OperatorCommands struct{ app App }

// NewOperatorCommands returns the commands. The keys are identity's: mailed links are derived from them.
func NewOperatorCommands(db *pg.DB, keys *secret.Keys, clock clock.Clock) *OperatorCommands {
	return &OperatorCommands{App{DB: db, Keys: keys, Clock: clock}}
}

// List returns all operators, the first appointed first.
func (c *OperatorCommands) List(ctx context.Context) ([]domain.Operator, error) {
	return store.AllOperators(ctx, c.app.DB.WorkerRead())
}

// Create makes the person with an address an operator. The account, when it has to be made, comes first, in a transaction
// of its own: it is a person's, and the role is the installation's. An account that stays without its role is one like any
// other, and the next try finds it.
func (c *OperatorCommands) Create(ctx context.Context, email, displayName, role string) (domain.Operator, error) {
	ctx = asSystem(ctx)
	wanted, err := parseRole(role)
	if err != nil {
		return domain.Operator{}, err
	}
	var user domain.User
	err = c.app.DB.InTx(ctx, pg.Scope{}, func(ctx context.Context, tx *pg.Tx) (err error) {
		user, err = c.app.accountFor(ctx, tx, email, displayName)
		return err
	})
	if err != nil {
		return domain.Operator{}, fmt.Errorf("make account: %w", err)
	}
	made := domain.NewOperator(user, wanted, id.ID{}, c.app.Clock.Now())
	err = c.app.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		if err := store.CreateOperator(ctx, tx, made); err != nil {
			return err
		}
		return c.app.operatorCreated(ctx, tx, made)
	})
	if store.IsOperatorTaken(err) {
		err = domain.ErrOperatorExists
	}
	if err != nil {
		return domain.Operator{}, fmt.Errorf("make operator: %w", err)
	}
	return made, nil
}

// Remove takes the role from the person with an address, and ends their sessions.
func (c *OperatorCommands) Remove(ctx context.Context, email string) error {
	ctx = asSystem(ctx)
	known, err := store.FindCredential(ctx, c.app.DB.Point(pg.Scope{}), domain.ParseAddress(email))
	if err != nil {
		return err
	}
	err = c.app.DB.InWorkerTx(ctx, func(ctx context.Context, tx *pg.Tx) error {
		locked, _, err := store.LockOperator(ctx, tx, known.User.ID)
		if err != nil {
			return err
		}
		return c.app.removeOperator(ctx, tx, locked)
	})
	if errors.Is(err, errs.ErrNotFound) {
		return fmt.Errorf("%s is no operator", email)
	}
	return err
}

func parseRole(text string) (domain.OperatorRole, error) {
	for _, role := range domain.OperatorRoles {
		if string(role) == text {
			return role, nil
		}
	}
	return "", fmt.Errorf("the role must be one of %v", domain.OperatorRoles)
}
