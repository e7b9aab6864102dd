package domain

import (
	"time"

	"github.com/braidhq/braid/platform/id"
)

// FoundOrganization is what an operator of the deployment sees of an organization: that it is there, and how large it is.
type FoundOrganization struct {
	ID          id.ID
	DisplayName string
	Slug        string
	State       OrganizationState
	// SuspensionReason is empty unless it is suspended.
	SuspensionReason string
	CreatedAt        time.Time
	Members          int64
	Teams            int64
}
