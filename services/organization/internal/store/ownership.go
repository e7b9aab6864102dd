package store

import (
	"context"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/organization/internal/domain"
	"github.com/braidhq/braid/services/organization/internal/store/db"
)

// GetTransfer returns the open offer of an owner's place; without one it is ErrNotFound. It stays as it is while the
// organization's lock is held.
func GetTransfer(ctx context.Context, querier pg.Querier, organizationID id.ID) (domain.Transfer, error) {
	row, err := db.New(querier).GetTransfer(ctx, organizationID)
	return domain.Transfer(row), one("read ownership transfer", err)
}

// InsertTransfer adds the offer, with the transaction's next statement.
func InsertTransfer(ctx context.Context, tx *pg.Tx, offered domain.Transfer) error {
	return queue(tx).InsertTransfer(ctx, db.InsertTransferParams(offered))
}

// DeleteTransfer removes the open offer, with the transaction's next statement.
func DeleteTransfer(ctx context.Context, tx *pg.Tx, organizationID id.ID) error {
	return queue(tx).DeleteTransfer(ctx, organizationID)
}

// TransferMail is what the mail of an offer says.
type TransferMail struct {
	Transfer                domain.Transfer
	OrganizationDisplayName string
	OwnerDisplayName        string
	Email                   string
}

// GetTransferMail reads what the mail of an offer says; for one that is not open any more it is ErrNotFound.
func GetTransferMail(ctx context.Context, querier pg.Querier, organizationID, transferID id.ID) (TransferMail, error) {
	row, err := db.New(querier).GetTransferMail(ctx, organizationID, transferID)
	return TransferMail{
		Transfer: domain.Transfer(row.OwnershipTransfer), OrganizationDisplayName: row.OrganizationDisplayName,
		OwnerDisplayName: row.OwnerDisplayName, Email: row.Email,
	}, one("read ownership transfer", err)
}
