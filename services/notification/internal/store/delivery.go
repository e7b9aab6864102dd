package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/domain"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

// InsertTaskDeliveries plans mails about a fact to recipients, except those who turned that off, and returns the
// deliveries' identifiers, also of those that were not planned. It goes out with the transaction's next statement; a
// delivery that is there stays as it is.
func InsertTaskDeliveries(ctx context.Context, tx *pg.Tx, fact domain.TaskFact, recipients []id.ID) ([]id.ID, error) {
	ids := deriveIDs(fact.EventID, recipients, domain.Email)
	err := db.New(queued{tx}).InsertTaskDeliveries(ctx, db.InsertTaskDeliveriesParams{
		EventID: fact.EventID, OrganizationID: fact.OrganizationID, Kind: string(fact.Kind), ActorID: fact.ActorID,
		ProjectID: fact.ProjectID, TaskID: fact.TaskID, TaskKey: fact.TaskKey, TaskTitle: fact.TaskTitle,
		TaskStatus: fact.TaskStatus, AssigneeID: fact.AssigneeID, PreviousAssigneeID: fact.PreviousAssigneeID,
		CreatedAt: fact.Time, IDs: ids, UserIDs: recipients,
	})
	if err != nil {
		return nil, fmt.Errorf("insert deliveries: %w", err)
	}
	return ids, nil
}

// InsertMailDelivery plans a mail that is not about a task. It goes out with the transaction's next
// statement; a delivery that is there stays as it is.
func InsertMailDelivery(ctx context.Context, tx *pg.Tx, delivery domain.Delivery, eventID id.ID, created time.Time) error {
	err := db.New(queued{tx}).InsertMailDelivery(ctx, db.InsertMailDeliveryParams{
		ID: delivery.ID, EventID: eventID, OrganizationID: delivery.OrganizationID, Kind: string(delivery.Kind),
		RegistrationID: delivery.RegistrationID, InvitationID: delivery.InvitationID, AccountMatterID: delivery.AccountMatterID,
		CreatedAt: created, UserID: delivery.UserID, DeviceID: delivery.DeviceID,
		TransferID: delivery.TransferID, DomainID: delivery.DomainID, SupportGrantID: delivery.SupportGrantID,
	})
	if err != nil {
		return fmt.Errorf("insert delivery: %w", err)
	}
	return nil
}

// GetDelivery returns a delivery; found is false when there is none.
func GetDelivery(ctx context.Context, querier pg.Querier, deliveryID id.ID) (delivery domain.Delivery, found bool, err error) {
	row, err := db.New(querier).GetDelivery(ctx, db.GetDeliveryParams{ID: deliveryID})
	if errors.Is(err, pg.ErrNoRows) {
		return domain.Delivery{}, false, nil
	}
	if err != nil {
		return domain.Delivery{}, false, fmt.Errorf("get delivery: %w", err)
	}
	return domain.Delivery{
		ID: row.ID, Kind: domain.Kind(row.Kind), State: domain.State(row.State), OrganizationID: row.OrganizationID,
		UserID: row.UserID, ActorID: row.ActorID, RegistrationID: row.RegistrationID, InvitationID: row.InvitationID,
		AccountMatterID: row.AccountMatterID,
		TransferID:      row.TransferID, DomainID: row.DomainID, SupportGrantID: row.SupportGrantID,
		ProjectID: row.ProjectID, TaskID: row.TaskID, TaskKey: row.TaskKey, TaskTitle: row.TaskTitle,
		TaskStatus: row.TaskStatus, Assignment: domain.Assignment{AssigneeID: row.AssigneeID, PreviousAssigneeID: row.PreviousAssigneeID},
		DeviceID: row.DeviceID, Muted: row.Muted,
	}, true, nil
}

// FinishDelivery writes the outcome of a pending delivery. It reports false, and changes nothing, when the delivery
// has an outcome already.
func FinishDelivery(ctx context.Context, tx *pg.Tx, deliveryID id.ID, outcome domain.Outcome, now time.Time) (bool, error) {
	changed, err := db.New(tx).FinishDelivery(ctx, db.FinishDeliveryParams{
		ID: deliveryID, State: string(outcome.State), Attempts: int32(outcome.Attempts), Reason: outcome.Reason, FinishedAt: now,
	})
	if err != nil {
		return false, fmt.Errorf("finish delivery: %w", err)
	}
	return changed == 1, nil
}

// DeleteFinishedDeliveries removes at most limit deliveries that ended before a time and returns how many.
func DeleteFinishedDeliveries(ctx context.Context, tx *pg.Tx, before time.Time, limit int) (int64, error) {
	deleted, err := db.New(tx).DeleteFinishedDeliveries(ctx, db.DeleteFinishedDeliveriesParams{Before: before, RowLimit: int32(limit)})
	if err != nil {
		return 0, fmt.Errorf("delete finished deliveries: %w", err)
	}
	return deleted, nil
}

// HasAccountMails reports whether mails about a person's account that were planned since a time are still to be sent.
func HasAccountMails(ctx context.Context, tx *pg.Tx, userID id.ID, since time.Time) (bool, error) {
	waits, err := db.New(tx).HasAccountMails(ctx, db.HasAccountMailsParams{AccountMatterID: userID, Since: since})
	if err != nil {
		return false, fmt.Errorf("look for mails about an account: %w", err)
	}
	return waits, nil
}
