package store

import (
	"context"
	"errors"
	"time"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// FindExternalIdentity returns the link of a person at a provider, whoever asks; ErrNotFound when there is none.
func FindExternalIdentity(ctx context.Context, querier pg.Querier, person domain.Person) (domain.ExternalIdentity, error) {
	found := domain.ExternalIdentity{Source: person.Source, Issuer: person.Issuer, Subject: person.Subject}
	err := querier.QueryRow(ctx, `select id, account_id from find_external_identity($1, $2, $3)`,
		person.Source, person.Issuer, person.Subject).Scan(&found.ID, &found.UserID)
	return found, explain("find external identity", err)
}

// CreateExternalIdentity queues a link. The transaction must act as its user. When the person is linked by then, COMMIT or
// the next statement fails and IsIdentityTaken says so.
func CreateExternalIdentity(ctx context.Context, tx *pg.Tx, made domain.ExternalIdentity) error {
	return queue(tx).InsertExternalIdentity(ctx, db.InsertExternalIdentityParams{
		ID: made.ID, AccountID: made.UserID, Source: made.Source, Issuer: made.Issuer, Subject: made.Subject,
		Email: made.Email, CreatedAt: made.CreatedAt, LastUsedAt: made.LastUsedAt,
	})
}

// IsIdentityTaken reports whether err says that the person is linked already.
func IsIdentityTaken(err error) bool { return pg.ConstraintOf(err) == "external_identity_person_key" }

// UseExternalIdentity queues that a user signed in by a link. The transaction must act as the user.
func UseExternalIdentity(ctx context.Context, tx *pg.Tx, identityID id.ID, email string, now time.Time) error {
	return queue(tx).UseExternalIdentity(ctx, email, now, identityID)
}

// ListExternalIdentities returns a user's links, the oldest first.
func ListExternalIdentities(ctx context.Context, querier pg.Querier, userID id.ID) (domain.ExternalIdentities, error) {
	rows, err := db.New(querier).ListExternalIdentities(ctx, userID)
	links := make(domain.ExternalIdentities, 0, len(rows))
	for _, row := range rows {
		links = append(links, domain.ExternalIdentity{
			ID: row.ID, UserID: row.AccountID, Source: row.Source, Issuer: row.Issuer, Subject: row.Subject, Email: row.Email,
			CreatedAt: row.CreatedAt.UTC(), LastUsedAt: row.LastUsedAt.UTC(),
		})
	}
	return links, explain("list external identities", err)
}

// DeleteExternalIdentity queues the end of a link.
func DeleteExternalIdentity(ctx context.Context, tx *pg.Tx, link domain.ExternalIdentity) error {
	return queue(tx).DeleteExternalIdentity(ctx, link.ID, link.UserID)
}

// FindSSO returns the connection that a domain's addresses sign in by, whoever asks; the zero value when there is none.
func FindSSO(ctx context.Context, querier pg.Querier, mailDomain string) (domain.SSO, error) {
	var found domain.SSO
	err := querier.QueryRow(ctx, `select organization_id, id, display_name, required from find_sso($1)`, mailDomain).
		Scan(&found.OrganizationID, &found.ConnectionID, &found.DisplayName, &found.Required)
	if errors.Is(err, pg.ErrNoRows) {
		return domain.SSO{}, nil
	}
	return found, explain("find connection of domain", err)
}

// FindDomainOwner returns the organization that has proven a domain; the zero id when there is none.
func FindDomainOwner(ctx context.Context, querier pg.Querier, mailDomain string) (id.ID, error) {
	var owner id.ID
	err := querier.QueryRow(ctx, `select organization_id from find_domain($1)`, mailDomain).Scan(&owner)
	if errors.Is(err, pg.ErrNoRows) {
		return id.ID{}, nil
	}
	return owner, explain("find owner of domain", err)
}

// FindCapturing returns the organization that has proven a domain and whose people sign in by it; the zero id when there is
// none.
func FindCapturing(ctx context.Context, querier pg.Querier, mailDomain string) (id.ID, error) {
	var capturing id.ID
	err := querier.QueryRow(ctx, `select organization_id from find_capturing($1)`, mailDomain).Scan(&capturing)
	if errors.Is(err, pg.ErrNoRows) {
		return id.ID{}, nil
	}
	return capturing, explain("find who captures domain", err)
}

// FindSSOConnection returns a connection by its id alone, whoever asks.
func FindSSOConnection(ctx context.Context, querier pg.Querier, connectionID id.ID) (domain.SSOConnection, error) {
	var found domain.SSOConnection
	err := querier.QueryRow(ctx, `select organization_id, id, display_name, issuer, client_id, sealed_secret, default_role_id, required,
    revision, created_at, updated_at from find_sso_connection($1)`, connectionID).Scan(&found.OrganizationID, &found.ID,
		&found.DisplayName, &found.Issuer, &found.ClientID, &found.SealedSecret, &found.DefaultRoleID, &found.Required,
		&found.Revision, &found.CreatedAt, &found.UpdatedAt)
	if errors.Is(err, pg.ErrNoRows) {
		return domain.SSOConnection{}, errs.ErrNotFound
	}
	return found, explain("find connection", err)
}
