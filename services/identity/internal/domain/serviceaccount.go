package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// MaxServiceAccounts is how many an organization may have.
const MaxServiceAccounts = 200

// ServiceAccount is a member of an organization without a person.
type ServiceAccount struct {
	OrganizationID id.ID
	ID             id.ID
	DisplayName    string
	Description    string
	CreatorID      id.ID
	// Revision grows with every change.
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// NewServiceAccount returns a service account that may do nothing yet.
func NewServiceAccount(organizationID, creatorID id.ID, displayName, description string, now time.Time) (ServiceAccount, error) {
	name, err := ParseDisplayName(displayName, "displayName")
	if err != nil {
		return ServiceAccount{}, err
	}
	return ServiceAccount{
		OrganizationID: organizationID, ID: id.New(), DisplayName: name, Description: strings.TrimSpace(description),
		CreatorID: creatorID, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// Etag names the present state.
func (s ServiceAccount) Etag() string { return strconv.FormatInt(s.Revision, 16) }

// ServiceAccountChange is what somebody wants to be different. Nil and the empty etag ask for nothing.
type ServiceAccountChange struct {
	DisplayName *string
	Description *string
	Etag        string
}

// Change applies a change and reports whether anything is different afterwards.
func (s ServiceAccount) Change(change ServiceAccountChange, now time.Time) (ServiceAccount, bool, error) {
	if err := errs.CheckETag(change.Etag, s.Etag()); err != nil {
		return s, false, err
	}
	changed := s
	if change.DisplayName != nil {
		name, err := ParseDisplayName(*change.DisplayName, "serviceAccount.displayName")
		if err != nil {
			return s, false, err
		}
		changed.DisplayName = name
	}
	if change.Description != nil {
		changed.Description = strings.TrimSpace(*change.Description)
	}
	if changed == s {
		return s, false, nil
	}
	changed.Revision++
	changed.UpdatedAt = now
	return changed, true, nil
}
