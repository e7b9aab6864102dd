package domain

import (
	"strconv"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
)

// SSOConnection leads to an organization's own provider.
type SSOConnection struct {
	OrganizationID id.ID
	ID             id.ID
	DisplayName    string
	Issuer         string
	ClientID       string
	SealedSecret   []byte
	DefaultRoleID  string
	Required       bool
	Revision       int64
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// Etag names the connection's present state.
func (c SSOConnection) Etag() string { return strconv.FormatInt(c.Revision, 16) }

// SSOConnectionChange is what is to be different. Nil and the empty etag ask for nothing.
type SSOConnectionChange struct {
	DisplayName, Issuer, ClientID, DefaultRoleID *string
	Required                                     *bool
	// Secret is the new one in the clear, empty for the one there is.
	Secret string
	Etag   string
}

// DefaultRole is that of connections that name none.
const DefaultRole = "member"

// Change applies a change but for the secret and reports whether anything is different afterwards.
func (c SSOConnection) Change(change SSOConnectionChange, now time.Time) (SSOConnection, bool, error) {
	if err := errs.CheckETag(change.Etag, c.Etag()); err != nil {
		return c, false, err
	}
	changed := c
	if change.DisplayName != nil {
		name, err := ParseDisplayName(*change.DisplayName, "ssoConnection.displayName")
		if err != nil {
			return c, false, err
		}
		changed.DisplayName = name
	}
	for _, text := range []struct {
		field  string
		wanted *string
		into   *string
	}{{"issuer", change.Issuer, &changed.Issuer}, {"clientId", change.ClientID, &changed.ClientID}} {
		if text.wanted == nil {
			continue
		}
		if *text.wanted == "" {
			return c, false, errs.Invalid("ssoConnection."+text.field, "string.min_len", "must not be empty")
		}
		*text.into = *text.wanted
	}
	if change.DefaultRoleID != nil {
		changed.DefaultRoleID = *change.DefaultRoleID
		if changed.DefaultRoleID == "" {
			changed.DefaultRoleID = DefaultRole
		}
	}
	if change.Required != nil {
		changed.Required = *change.Required
	}
	same := changed.DisplayName == c.DisplayName && changed.Issuer == c.Issuer && changed.ClientID == c.ClientID &&
		changed.DefaultRoleID == c.DefaultRoleID && changed.Required == c.Required
	if same && change.Secret == "" {
		return c, false, nil
	}
	// The secret belongs to a client of an issuer: it is not sent to another one, whoever asks.
	if changed.Issuer != c.Issuer && change.Secret == "" {
		return c, false, errs.Invalid("ssoConnection.clientSecret", "required", "must be given with another issuer")
	}
	changed.Revision++
	changed.UpdatedAt = now
	return changed, true, nil
}

// SSO is the connection that the addresses of a domain sign in by.
type SSO struct {
	OrganizationID id.ID
	ConnectionID   id.ID
	DisplayName    string
	Required       bool
}

// SSOPassage is the required connection that a login has passed: by having come by it, or with Bypassed as an owner who
// broke the glass. The zero value has passed none.
type SSOPassage struct {
	ConnectionID id.ID
	Bypassed     bool
}

// VerifiedDomain is a domain that organization says is proven.
type VerifiedDomain struct {
	OrganizationID id.ID
	DomainID       id.ID
	Domain         string
	Capture        bool
	VerifiedAt     time.Time
}
