package notification

import (
	"github.com/braidhq/braid/platform/person"
	"github.com/braidhq/braid/services/notification/internal/store"
)

// People says which columns of the service's database name people, and what becomes of these.
func People() person.Own { return store.People }
