package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// Notification tells a person one thing within the product.
type Notification struct {
	ID             id.ID
	OrganizationID id.ID
	Kind           Kind
	Title          string
	ActorID        id.ID
	ProjectID      id.ID
	TaskID         id.ID
	TaskKey        string
	CreateTime     time.Time
	// ReadTime is nil while it waits to be read.
	ReadTime *time.Time
}
