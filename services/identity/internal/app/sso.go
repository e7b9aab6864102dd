package app

import (
	"context"
	"errors"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/passkey"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// breakGlassPermission is held by those who may pass by a required connection: whoever may remove it.
const breakGlassPermission = "identity.sso_connection.delete"

// Membership is who belongs to which organization and may do what. It is an interface because it is the edge of another
// service.
type Membership interface {
	// Authorize answers nil for a member who holds the permission; the empty one asks for membership.
	Authorize(ctx context.Context, organizationID, userID id.ID, permission string) error
}

// DiscoverSSO returns the connection that an address signs in by. It looks at the domain alone, with one statement
// whatever there is.
func (a *App) DiscoverSSO(ctx context.Context, email string) (domain.SSO, error) {
	return store.FindSSO(ctx, a.DB.Point(pg.Scope{}), domain.MailDomain(email))
}

// joiningBy returns the connection that a person came by, nil when it was one of the deployment's providers. A connection
// speaks for the verified domains of its organization alone, and is believed there.
func (a *App) joiningBy(ctx context.Context, person *domain.Person) (*domain.SSOConnection, error) {
	connectionID, ok := domain.ConnectionOf(person.Source)
	if !ok {
		return nil, nil
	}
	connection, err := store.FindSSOConnection(ctx, a.DB.Point(pg.Scope{}), connectionID)
	if errors.Is(err, errs.ErrNotFound) {
		return nil, domain.ErrProviderUnknown
	}
	if err != nil {
		return nil, err
	}
	owner, err := store.FindDomainOwner(ctx, a.DB.Point(pg.Scope{}), domain.MailDomain(person.Email))
	if err != nil {
		return nil, err
	}
	if owner != connection.OrganizationID {
		return nil, domain.ErrSSODomainMismatch
	}
	person.Vouched = true
	return &connection, nil
}

// requireSSO refuses who has to sign in by the connection of their organization and came another way: source is the
// provider, empty for none. With breakGlass an owner passes, which is told. It returns what was passed: the connection that
// they came by is, whether or not it is required, as it may be by tomorrow.
func (a *App) requireSSO(ctx context.Context, user domain.User, source string, breakGlass bool) (domain.SSOPassage, error) {
	connectionID, _ := domain.ConnectionOf(source)
	passed := domain.SSOPassage{ConnectionID: connectionID}
	sso, err := store.FindSSO(ctx, a.DB.Point(pg.Scope{}), domain.MailDomain(user.Email))
	if err != nil || !sso.Required || source == domain.ConnectionSource(sso.ConnectionID) {
		return passed, err
	}
	switch err := a.Membership.Authorize(ctx, sso.OrganizationID, user.ID, ""); {
	case errors.Is(err, errs.ErrNotFound):
		return passed, nil
	case err != nil && errs.KindOf(err) != errs.PermissionDenied:
		// Who can't be asked about is not let in.
		return domain.SSOPassage{}, err
	}
	refused := domain.ErrSSORequired.With("ssoConnectionId", sso.ConnectionID.String())
	if !breakGlass {
		return domain.SSOPassage{}, refused
	}
	switch err := a.Membership.Authorize(ctx, sso.OrganizationID, user.ID, breakGlassPermission); {
	case err != nil && errs.KindOf(err) == errs.PermissionDenied:
		return domain.SSOPassage{}, refused
	case err != nil:
		return domain.SSOPassage{}, err
	}
	err = a.DB.InTx(ctx, pg.Scope{UserID: user.ID}, func(ctx context.Context, tx *pg.Tx) error {
		return a.ssoBypassed(actingAs(ctx, user.ID, id.ID{}), tx, sso, user.ID)
	})
	return domain.SSOPassage{ConnectionID: sso.ConnectionID, Bypassed: true}, err
}

// requireSSOOfPasskey is requireSSO for a login by a passkey alone; a second step had it asked in the first. It is asked
// before the signature is looked at, as no other service may be asked inside a transaction: an id of a passkey can't be
// guessed, and whoever has it learns nothing more.
func (a *App) requireSSOOfPasskey(ctx context.Context, assertion *passkey.Assertion, challengeToken string) error {
	if challengeToken != "" {
		return nil
	}
	ownerID, err := store.FindPasskeyOwner(ctx, a.DB.Point(pg.Scope{}), assertion.CredentialID())
	if errors.Is(err, errs.ErrNotFound) {
		return nil // It is refused where it is used up.
	}
	if err != nil {
		return err
	}
	user, err := a.User(ctx, ownerID)
	if err != nil {
		return err
	}
	_, err = a.requireSSO(ctx, user, "", false)
	return err
}

// KeepDomain writes what was heard of a verified domain. It is for the worker role, as the two below.
func KeepDomain(ctx context.Context, tx *pg.Tx, kept domain.VerifiedDomain) error {
	return store.KeepDomain(ctx, tx, kept)
}

// CaptureDomain writes whether a domain's addresses sign in by the connection.
func CaptureDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID, capture bool) error {
	return store.CaptureDomain(ctx, tx, organizationID, domainID, capture)
}

// DropDomain forgets a domain that is the organization's no more.
func DropDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) error {
	return store.DropDomain(ctx, tx, organizationID, domainID)
}
