package store

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// CreateSSOConnection queues a connection. When the organization has one by then, COMMIT or the next statement fails and
// IsConnectionTaken says so.
func CreateSSOConnection(ctx context.Context, tx *pg.Tx, made domain.SSOConnection) error {
	return queue(tx).InsertSsoConnection(ctx, db.InsertSsoConnectionParams(made))
}

// IsConnectionTaken reports whether err says that the organization has a connection.
func IsConnectionTaken(err error) bool { return pg.ConstraintOf(err) == "sso_connection_one" }

// ListSSOConnections returns an organization's connections.
func ListSSOConnections(ctx context.Context, querier pg.Querier, organizationID id.ID) ([]domain.SSOConnection, error) {
	rows, err := db.New(querier).ListSsoConnections(ctx, organizationID)
	connections := make([]domain.SSOConnection, 0, len(rows))
	for _, row := range rows {
		connections = append(connections, domain.SSOConnection(row))
	}
	return connections, explain("list connections", err)
}

// GetSSOConnection returns a connection; ErrNotFound when there is none.
func GetSSOConnection(ctx context.Context, querier pg.Querier, organizationID, connectionID id.ID) (domain.SSOConnection, error) {
	row, err := db.New(querier).GetSsoConnection(ctx, organizationID, connectionID)
	return domain.SSOConnection(row), explain("load connection", err)
}

// LockSSOConnection is GetSSOConnection, and keeps others from changing it until the transaction ends.
func LockSSOConnection(ctx context.Context, tx *pg.Tx, organizationID, connectionID id.ID) (domain.SSOConnection, error) {
	row, err := db.New(tx).LockSsoConnection(ctx, organizationID, connectionID)
	return domain.SSOConnection(row), explain("lock connection", err)
}

// UpdateSSOConnection queues the new state.
func UpdateSSOConnection(ctx context.Context, tx *pg.Tx, changed domain.SSOConnection) error {
	return queue(tx).UpdateSsoConnection(ctx, db.UpdateSsoConnectionParams{
		OrganizationID: changed.OrganizationID, ID: changed.ID, DisplayName: changed.DisplayName, Issuer: changed.Issuer,
		ClientID: changed.ClientID, SealedSecret: changed.SealedSecret, DefaultRoleID: changed.DefaultRoleID,
		Required: changed.Required, Revision: changed.Revision, UpdatedAt: changed.UpdatedAt,
	})
}

// DeleteSSOConnection queues the end of a connection.
func DeleteSSOConnection(ctx context.Context, tx *pg.Tx, organizationID, connectionID id.ID) error {
	return queue(tx).DeleteSsoConnection(ctx, organizationID, connectionID)
}

// KeepDomain queues a verified domain. It needs a worker transaction, as the two below.
func KeepDomain(ctx context.Context, tx *pg.Tx, kept domain.VerifiedDomain) error {
	return queue(tx).KeepDomain(ctx, db.KeepDomainParams(kept))
}

// CaptureDomain queues whether a domain's addresses sign in by the connection; one that is not verified stays unknown.
func CaptureDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID, capture bool) error {
	return queue(tx).CaptureDomain(ctx, capture, organizationID, domainID)
}

// DropDomain queues the end of a domain.
func DropDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) error {
	return queue(tx).DropDomain(ctx, organizationID, domainID)
}
