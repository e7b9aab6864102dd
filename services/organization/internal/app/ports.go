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

// Resolver looks up TXT records: *net.Resolver, or another one that is configured. For a name without such a record it
// answers a *net.DNSError that says so.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}
