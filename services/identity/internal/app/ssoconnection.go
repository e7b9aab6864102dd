package app

import (
	"context"

	"github.com/braidhq/braid/platform/call"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/federation"
	"github.com/braidhq/braid/services/identity/internal/store"
)

// NewSSOConnection is what a connection is made of.
type NewSSOConnection struct {
	DisplayName, Issuer, ClientID, Secret, DefaultRoleID string
	Required                                             bool
}

// connectionScopes are what organizations' providers are asked for.
func connectionScopes() []string { return []string{"openid", "email", "profile"} }

// secretData binds a sealed secret to its connection.
func secretData(connectionID id.ID) []byte { return []byte("sso-connection/" + connectionID.String()) }

// openConnection returns the provider that a connection leads to.
func (a *App) openConnection(connection domain.SSOConnection) (federation.Provider, error) {
	secret, err := a.Keys.Unseal(connection.SealedSecret, secretData(connection.ID))
	if err != nil {
		return federation.Provider{}, err
	}
	return federation.Provider{
		Source: domain.ConnectionSource(connection.ID), DisplayName: connection.DisplayName, Issuer: connection.Issuer,
		ClientID: connection.ClientID, ClientSecret: string(secret), Scopes: connectionScopes(), Foreign: true,
	}, nil
}

// CheckIssuer reads an issuer's discovery document. It is called before the transaction that keeps the issuer.
func (a *App) CheckIssuer(ctx context.Context, issuer string) error {
	return a.Providers.Client.Check(ctx, federation.Provider{Issuer: issuer, Foreign: true})
}

// CreateSSOConnection makes the connection of the organization of the call.
func (a *App) CreateSSOConnection(ctx context.Context, tx *pg.Tx, wanted NewSSOConnection) (domain.SSOConnection, error) {
	now := a.Clock.Now()
	name, err := domain.ParseDisplayName(wanted.DisplayName, "displayName")
	if err != nil {
		return domain.SSOConnection{}, err
	}
	made := domain.SSOConnection{
		OrganizationID: call.From(ctx).OrganizationID, ID: id.New(), DisplayName: name, Issuer: wanted.Issuer, ClientID: wanted.ClientID,
		DefaultRoleID: wanted.DefaultRoleID, Required: wanted.Required, Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	if made.DefaultRoleID == "" {
		made.DefaultRoleID = domain.DefaultRole
	}
	known, err := store.ListSSOConnections(ctx, tx, made.OrganizationID)
	if err != nil {
		return domain.SSOConnection{}, err
	}
	if len(known) > 0 {
		return domain.SSOConnection{}, domain.ErrSSOConnectionLimit
	}
	if made.SealedSecret, err = a.Keys.Seal([]byte(wanted.Secret), secretData(made.ID)); err != nil {
		return domain.SSOConnection{}, err
	}
	if err := store.CreateSSOConnection(ctx, tx, made); err != nil {
		return domain.SSOConnection{}, err
	}
	return made, a.ssoConnectionCreated(ctx, tx, made)
}

// ListSSOConnections returns the organization's connections.
func (a *App) ListSSOConnections(ctx context.Context) ([]domain.SSOConnection, error) {
	return store.ListSSOConnections(ctx, a.DB.Point(pg.ScopeOf(ctx)), call.From(ctx).OrganizationID)
}

// GetSSOConnection returns a connection of the organization.
func (a *App) GetSSOConnection(ctx context.Context, connectionID id.ID) (domain.SSOConnection, error) {
	return store.GetSSOConnection(ctx, a.DB.Point(pg.ScopeOf(ctx)), call.From(ctx).OrganizationID, connectionID)
}

// UpdateSSOConnection changes a connection. A change that changes nothing tells nobody.
func (a *App) UpdateSSOConnection(ctx context.Context, tx *pg.Tx, connectionID id.ID, change domain.SSOConnectionChange) (domain.SSOConnection, error) {
	connection, err := store.LockSSOConnection(ctx, tx, call.From(ctx).OrganizationID, connectionID)
	if err != nil {
		return domain.SSOConnection{}, err
	}
	connection, changed, err := connection.Change(change, a.Clock.Now())
	if err != nil || !changed {
		return connection, err
	}
	if change.Secret != "" {
		if connection.SealedSecret, err = a.Keys.Seal([]byte(change.Secret), secretData(connection.ID)); err != nil {
			return domain.SSOConnection{}, err
		}
	}
	if err := store.UpdateSSOConnection(ctx, tx, connection); err != nil {
		return domain.SSOConnection{}, err
	}
	return connection, a.ssoConnectionUpdated(ctx, tx, connection)
}

// DeleteSSOConnection removes a connection; the links of people to it are worth nothing then.
func (a *App) DeleteSSOConnection(ctx context.Context, tx *pg.Tx, connectionID id.ID) error {
	connection, err := store.LockSSOConnection(ctx, tx, call.From(ctx).OrganizationID, connectionID)
	if err != nil {
		return err
	}
	if err := store.DeleteSSOConnection(ctx, tx, connection.OrganizationID, connection.ID); err != nil {
		return err
	}
	return a.ssoConnectionDeleted(ctx, tx, connection)
}
