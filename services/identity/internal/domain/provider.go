package domain

import (
	"crypto/subtle"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/braidhq/braid/platform/id"
)

const (
	// ProviderLoginLifetime is how long there is between the beginning of a login at a provider and its end.
	ProviderLoginLifetime = 10 * time.Minute
	// MaxIdentities is how many links to providers a person may have.
	MaxIdentities = 20

	providerSource   = "provider/"
	connectionSource = "connection/"
)

// ProviderSource and ConnectionSource name who says who a person is, in links and in the states of logins.
func ProviderSource(providerID string) string { return providerSource + providerID }

// ConnectionSource names an organization's connection.
func ConnectionSource(connectionID id.ID) string { return connectionSource + connectionID.String() }

// SourceID returns the id of a source's provider or connection.
func SourceID(source string) string {
	return strings.TrimPrefix(strings.TrimPrefix(source, providerSource), connectionSource)
}

// ConnectionOf returns the connection of a source; false for one that is the deployment's.
func ConnectionOf(source string) (id.ID, bool) {
	text, found := strings.CutPrefix(source, connectionSource)
	return id.ParseOrZero(text), found
}

// ProviderRequest is what is kept of a login between its beginning and its end.
type ProviderRequest struct {
	Source      string
	Issuer      string
	Nonce       string
	Verifier    string
	RedirectURI string
	// Browser is the hash of what only the client holds that has begun.
	Browser []byte
	// Announced says that the provider sends its issuer back with every code (RFC 9207).
	Announced bool
}

// CheckReturn refuses an answer that comes from another client than has begun, or from another provider than was asked.
func (r ProviderRequest) CheckReturn(browser []byte, issuer string) error {
	if subtle.ConstantTimeCompare(r.Browser, browser) != 1 {
		return ErrLoginStateInvalid
	}
	if issuer != r.Issuer && (issuer != "" || r.Announced) {
		return ErrLoginStateInvalid
	}
	return nil
}

// Person is somebody as a provider knows them.
type Person struct {
	Source  string
	Issuer  string
	Subject string
	Email   string
	// Vouched says that the provider has seen the person prove the address, or that it hands such addresses out.
	Vouched     bool
	DisplayName string
}

// Address is the person's, in the spelling that users' are compared in.
func (p Person) Address() Address { return ParseAddress(p.Email) }

// Name returns what to call the person: what the provider says, as far as it can be shown, or the address.
func (p Person) Name() string {
	shown := strings.Map(func(char rune) rune {
		if unicode.IsControl(char) {
			return ' '
		}
		return char
	}, strings.ToValidUTF8(p.DisplayName, ""))
	name := strings.Join(strings.Fields(shown), " ")
	if name, err := ParseDisplayName(name, "displayName"); err == nil {
		return name
	}
	local, _, _ := strings.Cut(p.Email, "@")
	return local
}

// MailDomain returns the domain of an address in lower case.
func MailDomain(email string) string {
	return strings.ToLower(strings.TrimSpace(email[strings.LastIndexByte(email, '@')+1:]))
}

// ExternalIdentity is a person at a provider, linked to a user.
type ExternalIdentity struct {
	ID         id.ID
	UserID     id.ID
	Source     string
	Issuer     string
	Subject    string
	Email      string
	CreatedAt  time.Time
	LastUsedAt time.Time
}

// NewExternalIdentity links a person to a user.
func NewExternalIdentity(userID id.ID, person Person, now time.Time) ExternalIdentity {
	return ExternalIdentity{
		ID: id.New(), UserID: userID, Source: person.Source, Issuer: person.Issuer, Subject: person.Subject,
		Email: person.Email, CreatedAt: now, LastUsedAt: now,
	}
}

// ExternalIdentities are all those of one user.
type ExternalIdentities []ExternalIdentity

// CheckNew refuses one more than a user may have, and a second person of one provider.
func (e ExternalIdentities) CheckNew(person Person) error {
	if len(e) >= MaxIdentities || slices.ContainsFunc(e, func(known ExternalIdentity) bool {
		return known.Source == person.Source && known.Issuer == person.Issuer
	}) {
		return ErrIdentityTaken
	}
	return nil
}

// CheckRemoval refuses to remove the last way in: without a password, a passkey and another link.
func (e ExternalIdentities) CheckRemoval(hasPassword bool, factors Factors) error {
	if !hasPassword && len(e) <= 1 && len(factors.Confirmed(Passkey)) == 0 {
		return ErrLastIdentity
	}
	return nil
}
