package app

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/services/organization/internal/domain"
)

// Directory is where people are known: the identity service. It answers ErrNotFound for a user who does not exist and
// an Unavailable error when it can't be asked.
type Directory interface {
	GetPerson(ctx context.Context, userID id.ID) (domain.Person, error)
}
