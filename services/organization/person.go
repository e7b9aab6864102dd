package organization

import (
	about "github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/services/organization/internal/store"
)

// People says which columns of the service's database name people, and what becomes of these.
func People() about.Own { return store.People }
