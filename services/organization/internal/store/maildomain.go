package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/list"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// Domains is the list of an organization's domains.
var Domains = list.Spec{
	Name: "domains",
	Fields: map[string]list.Field{
		"state": {Column: "mail_domain.state", Type: list.Enum, Values: map[string]any{
			"PENDING": string(domain.DomainPending), "VERIFIED": string(domain.DomainVerified), "LOST": string(domain.DomainLost),
		}},
		"name":       {Column: "mail_domain.name", Type: list.String},
		"createTime": {Column: "mail_domain.created_at", Type: list.Time},
	},
	Orders: map[string]list.Order{
		"createTime": {Column: "mail_domain.created_at", Type: list.Time},
		"name":       {Column: "mail_domain.name", Type: list.String, Unique: true},
	},
	Default:  "createTime",
	Tiebreak: list.Order{Column: "mail_domain.id", Type: list.ID},
}

func mailDomain(row db.MailDomain) domain.MailDomain {
	return domain.MailDomain{
		OrganizationID: row.OrganizationID, ID: row.ID, Name: row.Name, Proof: row.Proof, State: domain.DomainState(row.State),
		AutoJoinRoleID: row.AutoJoinRoleID, Capture: row.Capture, Misses: row.Misses, CreatedAt: row.CreatedAt,
		VerifiedAt: timeFrom(row.VerifiedAt), CheckAt: row.CheckAt, Revision: row.Revision,
	}
}

// CountDomains counts an organization's domains.
func CountDomains(ctx context.Context, tx *pg.Tx, organizationID id.ID) (int64, error) {
	count, err := db.New(tx).CountDomains(ctx, organizationID)
	return count, wrap("count domains", err)
}

// InsertDomain adds a domain; one that the organization has already is ErrDomainExists.
func InsertDomain(ctx context.Context, tx *pg.Tx, created domain.MailDomain) error {
	_, err := db.New(tx).InsertDomain(ctx, db.InsertDomainParams{
		OrganizationID: created.OrganizationID, ID: created.ID, Name: created.Name, Proof: created.Proof, CreatedAt: created.CreatedAt,
	})
	return inserted("insert domain", err, domain.ErrDomainExists.With("name", created.Name))
}

// GetDomain returns a domain.
func GetDomain(ctx context.Context, querier pg.Querier, organizationID, domainID id.ID) (domain.MailDomain, error) {
	row, err := db.New(querier).GetDomain(ctx, organizationID, domainID)
	return mailDomain(row), one("read domain", err)
}

// LockDomain is GetDomain with the row locked until the transaction ends.
func LockDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) (domain.MailDomain, error) {
	row, err := db.New(tx).LockDomain(ctx, organizationID, domainID)
	return mailDomain(row), one("lock domain", err)
}

// ShareDomain is GetDomain for what is about to happen because of it: it stays as it is until the transaction ends.
func ShareDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) (domain.MailDomain, error) {
	row, err := db.New(tx).ShareDomain(ctx, organizationID, domainID)
	return mailDomain(row), one("share domain", err)
}

// UpdateDomain writes what may change of a domain. It waits for the answer, because another organization may have the
// domain verified: ErrDomainTaken.
func UpdateDomain(ctx context.Context, tx *pg.Tx, changed domain.MailDomain) error {
	err := db.New(tx).UpdateDomain(ctx, db.UpdateDomainParams{
		OrganizationID: changed.OrganizationID, ID: changed.ID, State: string(changed.State), AutoJoinRoleID: changed.AutoJoinRoleID,
		Capture: changed.Capture, Misses: changed.Misses, VerifiedAt: timeOrNil(changed.VerifiedAt), CheckAt: changed.CheckAt,
		Revision: changed.Revision,
	})
	if pg.ConstraintOf(err) == "mail_domain_verified" {
		return domain.ErrDomainTaken.With("name", changed.Name).WithCause(err)
	}
	return wrap("update domain", err)
}

// DeleteDomain removes a domain, with the transaction's next statement.
func DeleteDomain(ctx context.Context, tx *pg.Tx, organizationID, domainID id.ID) error {
	return queue(tx).DeleteDomain(ctx, organizationID, domainID)
}

// FindVerifiedDomain returns the verified domain of a name, whoever has it; without one it is ErrNotFound. Whoever calls
// it has found out that the person in hand has a proven address there.
func FindVerifiedDomain(ctx context.Context, tx *pg.Tx, name string) (domain.MailDomain, error) {
	if err := queue(tx).EnterMailDomain(ctx, name); err != nil {
		return domain.MailDomain{}, err
	}
	row, err := db.New(tx).FindVerifiedDomain(ctx, name)
	return mailDomain(row), one("find domain", err)
}

// DueDomains lists verified domains whose record is to be looked up by now, those that wait the longest first. It is for
// the worker role, which sees no more of them than where to look.
func DueDomains(ctx context.Context, querier pg.Querier, now time.Time, limit int) ([]domain.MailDomain, error) {
	rows, err := db.New(querier).GetDueDomains(ctx, now, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("read due domains: %w", err)
	}
	due := make([]domain.MailDomain, 0, len(rows))
	for _, row := range rows {
		due = append(due, domain.MailDomain{OrganizationID: row.OrganizationID, ID: row.ID, Name: row.Name, Proof: row.Proof})
	}
	return due, nil
}

// ActiveOwners lists those who answer for an organization, those who joined first first.
func ActiveOwners(ctx context.Context, tx *pg.Tx, organizationID id.ID, limit int) ([]id.ID, error) {
	owners, err := db.New(tx).GetActiveOwners(ctx, organizationID, int32(limit))
	return owners, wrap("read owners", err)
}

// ListDomains returns a page of an organization's domains.
func ListDomains(ctx context.Context, querier pg.Querier, organizationID id.ID, query *list.Query) (string, []domain.MailDomain, error) {
	sql, arguments := query.Build(`select id, name, proof, state, auto_join_role_id, capture, created_at, verified_at, revision
from mail_domain where organization_id = $1`, organizationID)
	return page(ctx, querier, query, sql, arguments, func(rows pgx.Rows, row *domain.MailDomain) error {
		row.OrganizationID = organizationID
		var verifiedAt *time.Time
		err := rows.Scan(&row.ID, &row.Name, &row.Proof, &row.State, &row.AutoJoinRoleID, &row.Capture, &row.CreatedAt, &verifiedAt, &row.Revision)
		row.VerifiedAt = timeFrom(verifiedAt)
		return err
	}, func(row domain.MailDomain, order string) any {
		switch order {
		case "createTime":
			return row.CreatedAt
		case "name":
			return row.Name
		default:
			return row.ID
		}
	})
}
