package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/platform/pg"
	"github.com/braidhq/braid/services/notification/internal/store/db"
)

// MailboxMessage is a caught mail; Content is sealed.
type MailboxMessage struct {
	ID          id.ID
	ReceiveTime time.Time
	Content     []byte
}

// InsertMailboxMessage keeps a caught mail, and of all caught mails the newest ones only.
func InsertMailboxMessage(ctx context.Context, tx *pg.Tx, message MailboxMessage, kept int) error {
	queries := db.New(queued{tx})
	err := queries.InsertMailboxMessage(ctx, db.InsertMailboxMessageParams{
		ID: message.ID, ReceivedAt: message.ReceiveTime, Content: message.Content,
	})
	if err != nil {
		return fmt.Errorf("insert mailbox message: %w", err)
	}
	if err := queries.TrimMailbox(ctx, db.TrimMailboxParams{Kept: int32(kept)}); err != nil {
		return fmt.Errorf("trim mailbox: %w", err)
	}
	return nil
}

// ListMailboxMessages returns the newest caught mails, at most limit.
func ListMailboxMessages(ctx context.Context, querier pg.Querier, limit int) ([]MailboxMessage, error) {
	rows, err := db.New(querier).ListMailboxMessages(ctx, db.ListMailboxMessagesParams{RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("list mailbox messages: %w", err)
	}
	messages := make([]MailboxMessage, 0, len(rows))
	for _, row := range rows {
		messages = append(messages, MailboxMessage{ID: row.ID, ReceiveTime: row.ReceivedAt, Content: row.Content})
	}
	return messages, nil
}

// GetMailboxMessage returns a caught mail; found is false when there is none.
func GetMailboxMessage(ctx context.Context, querier pg.Querier, messageID id.ID) (message MailboxMessage, found bool, err error) {
	row, err := db.New(querier).GetMailboxMessage(ctx, db.GetMailboxMessageParams{ID: messageID})
	if errors.Is(err, pg.ErrNoRows) {
		return MailboxMessage{}, false, nil
	}
	if err != nil {
		return MailboxMessage{}, false, fmt.Errorf("get mailbox message: %w", err)
	}
	return MailboxMessage{ID: row.ID, ReceiveTime: row.ReceivedAt, Content: row.Content}, true, nil
}
