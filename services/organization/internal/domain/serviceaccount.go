package domain

import "github.com/braidhq/braid/platform/id"

// ServiceAccountCopy is what is kept here of a service account, which is identity's.
type ServiceAccountCopy struct {
	OrganizationID id.ID
	ID             id.ID
	DisplayName    string
	// Revision grows with every change of the service account.
	Revision int64
}
