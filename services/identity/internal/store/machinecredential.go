package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/errs"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/identity/internal/domain"
	"github.com/braidhq/braid/services/identity/internal/store/db"
)

// MachineCredentials declares the lists of a person's access tokens and of a service account's keys.
var MachineCredentials = list.Spec{
	Name: "machine-credentials",
	Fields: map[string]list.Field{
		"displayName":    {Column: "display_name", Type: list.Text},
		"scopes":         {Column: "scopes", Type: list.StringSet},
		"organizationId": {Column: "organization_id", Type: list.ID},
		"createTime":     {Column: "created_at", Type: list.Time},
		"expireTime":     {Column: "expires_at", Type: list.Time},
		"lastUseTime":    {Column: "last_used_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"displayName": {Column: "display_name", Type: list.String},
		"createTime":  {Column: "created_at", Type: list.Time},
		"expireTime":  {Column: "expires_at", Type: list.Time},
		"lastUseTime": {Column: "last_used_at", Type: list.Time, Nullable: true},
	},
	Default:  "createTime desc",
	Tiebreak: list.Order{Column: "id", Type: list.ID},
}

// ActIn lets what follows in the transaction touch an organization's rows, for a client that has proven itself. It costs
// no round trip.
func ActIn(tx *pg.Tx, organizationID id.ID) {
	tx.Queue(`select set_config('app.organization_id', $1, true)`, organizationID.String())
}

// CountMachineCredentials counts what an owner has that has not expired. The owner must be locked, so that it stays true.
func CountMachineCredentials(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, now time.Time) (int64, error) {
	count, err := db.New(tx).CountMachineCredentials(ctx, db.CountMachineCredentialsParams{
		Now: now, AccountID: owner.UserID, ServiceAccountID: owner.ServiceAccountID, OrganizationID: owner.OrganizationID,
	})
	return count, explain("count credentials", err)
}

// CreateMachineCredential queues a credential, known by the hash of its secret; nil for one with a public key.
func CreateMachineCredential(ctx context.Context, tx *pg.Tx, made domain.MachineCredential, hash []byte) error {
	publicKey, err := encodePublicKey(made.PublicKey)
	if err != nil {
		return err
	}
	return queue(tx).InsertMachineCredential(ctx, db.InsertMachineCredentialParams{
		ID: made.ID, AccountID: made.Owner.UserID, ServiceAccountID: made.Owner.ServiceAccountID, OrganizationID: made.OrganizationID,
		DisplayName: made.DisplayName, Hash: hash, PublicKey: publicKey, Scopes: made.Scopes, Networks: made.Networks,
		CreatedAt: made.CreatedAt, ExpiresAt: made.ExpiresAt, LifetimeSeconds: max(1, int64(made.Lifetime/time.Second)), CreatorID: made.CreatorID,
		AuthenticatedAt: made.MadeBy.Time, Methods: append([]string{}, made.MadeBy.Methods...), SsoConnectionID: made.MadeBy.ConnectionID, SsoBypassed: made.MadeBy.BrokeGlass,
	})
}

func encodePublicKey(key *domain.PublicKey) ([]byte, error) {
	if key == nil {
		return nil, nil
	}
	encoded, err := json.Marshal(key)
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	return encoded, nil
}

func decodePublicKey(encoded []byte) (*domain.PublicKey, error) {
	if encoded == nil {
		return nil, nil
	}
	key := &domain.PublicKey{}
	if err := json.Unmarshal(encoded, key); err != nil {
		return nil, fmt.Errorf("decode public key: %w", err)
	}
	return key, nil
}

// DeleteMachineCredential removes an owner's credential and returns the organization it was bound to, zero for none;
// ErrNotFound when there is no such credential.
func DeleteMachineCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, credentialID id.ID) (id.ID, error) {
	removed, err := db.New(tx).DeleteMachineCredential(ctx, db.DeleteMachineCredentialParams{
		ID: credentialID, AccountID: owner.UserID, ServiceAccountID: owner.ServiceAccountID, OrganizationID: owner.OrganizationID,
	})
	if err != nil {
		return id.ID{}, explain("delete credential", err)
	}
	if len(removed) == 0 {
		return id.ID{}, errs.ErrNotFound
	}
	return removed[0], nil
}

// DeleteAccessTokens removes all access tokens of a person. It returns which there were, and the organization that each was
// bound to, zero for none.
func DeleteAccessTokens(ctx context.Context, tx *pg.Tx, userID id.ID) (map[id.ID]id.ID, error) {
	rows, err := db.New(tx).DeleteAccessTokens(ctx, userID)
	removed := make(map[id.ID]id.ID, len(rows))
	for _, row := range rows {
		removed[row.ID] = row.OrganizationID
	}
	return removed, explain("delete access tokens", err)
}

// RetireMachineCredential queues what has taken the place of a credential that is locked, and its earlier end.
func RetireMachineCredential(ctx context.Context, tx *pg.Tx, credentialID, successorID id.ID, end time.Time) error {
	return queue(tx).RetireMachineCredential(ctx, end, successorID, credentialID)
}

const readMachineCredentials = `select id, account_id, service_account_id, organization_id, display_name, public_key, scopes, networks,
created_at, expires_at, lifetime_seconds, last_used_at, last_used_address, creator_id, successor_id from machine_credential `

// ofOwner begins every read of an owner's credentials.
func ofOwner(owner domain.MachineOwner) (string, []any) {
	if !owner.UserID.IsZero() {
		return readMachineCredentials + `where account_id = $1`, []any{owner.UserID}
	}
	return readMachineCredentials + `where organization_id = $1 and service_account_id = $2`, []any{owner.OrganizationID, owner.ServiceAccountID}
}

// GetMachineCredential returns an owner's credential; ErrNotFound when there is none.
func GetMachineCredential(ctx context.Context, querier pg.Querier, owner domain.MachineOwner, credentialID id.ID) (domain.MachineCredential, error) {
	return getMachineCredential(ctx, querier, owner, credentialID, "")
}

// LockMachineCredential is GetMachineCredential, and keeps others from changing it until the transaction ends.
func LockMachineCredential(ctx context.Context, tx *pg.Tx, owner domain.MachineOwner, credentialID id.ID) (domain.MachineCredential, error) {
	return getMachineCredential(ctx, tx, owner, credentialID, " for update")
}

func getMachineCredential(ctx context.Context, querier pg.Querier, owner domain.MachineOwner, credentialID id.ID, lock string) (domain.MachineCredential, error) {
	sql, arguments := ofOwner(owner)
	arguments = append(arguments, credentialID)
	parameter := " and id = $2"
	if len(arguments) == 3 {
		parameter = " and id = $3"
	}
	found, err := scanMachineCredential(querier.QueryRow(ctx, sql+parameter+lock, arguments...))
	return found, explain("load credential", err)
}

func scanMachineCredential(row pgx.Row) (found domain.MachineCredential, err error) {
	var organizationID id.ID
	var seconds int64
	var publicKey []byte
	err = row.Scan(&found.ID, &found.Owner.UserID, &found.Owner.ServiceAccountID, &organizationID, &found.DisplayName, &publicKey,
		&found.Scopes, &found.Networks, &found.CreatedAt, &found.ExpiresAt, &seconds, &found.LastUsedAt, &found.LastUsedAddress,
		&found.CreatorID, &found.SuccessorID)
	if err == nil {
		found.PublicKey, err = decodePublicKey(publicKey)
	}
	found.OrganizationID, found.Lifetime = organizationID, time.Duration(seconds)*time.Second
	if found.Owner.UserID.IsZero() {
		found.Owner.OrganizationID = organizationID
	}
	return found, err
}

// ListMachineCredentials returns a page of an owner's credentials and the token of the next.
func ListMachineCredentials(ctx context.Context, querier pg.Querier, owner domain.MachineOwner, query *list.Query) (string, []domain.MachineCredential, error) {
	beginning, arguments := ofOwner(owner)
	sql, arguments := query.Build(beginning, arguments...)
	rows, err := querier.Query(ctx, sql, arguments...)
	if err != nil {
		return "", nil, explain("list credentials", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (domain.MachineCredential, error) { return scanMachineCredential(row) })
	if err != nil {
		return "", nil, explain("list credentials", err)
	}
	next, page := list.Page(query, found, func(one domain.MachineCredential, order string) any {
		switch order {
		case "displayName":
			return one.DisplayName
		case "createTime":
			return one.CreatedAt
		case "expireTime":
			return one.ExpiresAt
		case "lastUseTime":
			if one.LastUsedAt == nil {
				return nil
			}
			return *one.LastUsedAt
		default:
			return one.ID
		}
	})
	return next, page, nil
}

// FindMachineCredential returns the credential with a secret's hash, whoever asks; ErrNotFound when there is none.
func FindMachineCredential(ctx context.Context, querier pg.Querier, hash []byte) (found domain.MachineCredential, err error) {
	err = querier.QueryRow(ctx, `select id, account_id, service_account_id, organization_id, scopes, networks, created_at, expires_at, creator_id,
authenticated_at, methods, sso_connection_id, sso_bypassed
from find_machine_credential($1)`, hash).Scan(&found.ID, &found.Owner.UserID, &found.Owner.ServiceAccountID, &found.OrganizationID,
		&found.Scopes, &found.Networks, &found.CreatedAt, &found.ExpiresAt, &found.CreatorID,
		&found.MadeBy.Time, &found.MadeBy.Methods, &found.MadeBy.ConnectionID, &found.MadeBy.BrokeGlass)
	return found, explain("find credential", err)
}

// FindClientKey returns the key with a public half that a client says it has; ErrNotFound when there is none.
func FindClientKey(ctx context.Context, querier pg.Querier, keyID, clientID id.ID) (domain.MachineCredential, error) {
	found := domain.MachineCredential{ID: keyID, Owner: domain.MachineOwner{ServiceAccountID: clientID}}
	var publicKey []byte
	err := querier.QueryRow(ctx, `select organization_id, public_key, scopes, networks, created_at, expires_at, creator_id from find_client_key($1, $2)`,
		keyID, clientID).Scan(&found.OrganizationID, &publicKey, &found.Scopes, &found.Networks, &found.CreatedAt, &found.ExpiresAt,
		&found.CreatorID)
	found.Owner.OrganizationID = found.OrganizationID
	if err == nil {
		found.PublicKey, err = decodePublicKey(publicKey)
	}
	return found, explain("find client key", err)
}

// IsCredentialGood says whether a credential has not ended, nor the token that was issued for it, if that is not zero.
func IsCredentialGood(ctx context.Context, querier pg.Querier, credentialID, tokenID id.ID, now time.Time) (good bool, err error) {
	err = querier.QueryRow(ctx, `select is_credential_good($1, $2, $3)`, credentialID, tokenID, now).Scan(&good)
	return good, explain("check credential", err)
}

// UseAssertion keeps the hash of an assertion's name and returns ErrNotFound when it is there: it was used before.
func UseAssertion(ctx context.Context, tx *pg.Tx, key domain.MachineCredential, hash []byte, expires time.Time) error {
	added, err := db.New(tx).InsertUsedAssertion(ctx, db.InsertUsedAssertionParams{
		OrganizationID: key.OrganizationID, CredentialID: key.ID, Hash: hash, ExpiresAt: expires,
	})
	if err == nil && added == 0 {
		return errs.ErrNotFound
	}
	return explain("use assertion", err)
}

// RevokeToken keeps that a token was revoked and reports whether that is news.
func RevokeToken(ctx context.Context, tx *pg.Tx, tokenID, organizationID, credentialID id.ID, expires time.Time) (bool, error) {
	added, err := db.New(tx).InsertRevokedToken(ctx, db.InsertRevokedTokenParams{
		ID: tokenID, OrganizationID: organizationID, CredentialID: credentialID, ExpiresAt: expires,
	})
	return added > 0, explain("revoke token", err)
}

// RecordUses notes last uses, as far as they are later than what is noted. It needs a worker transaction.
func RecordUses(ctx context.Context, tx *pg.Tx, ids []id.ID, times []time.Time, addresses []string) error {
	return explain("record uses", db.New(tx).RecordUses(ctx, ids, times, addresses))
}
