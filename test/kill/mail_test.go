package kill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/platform/id"
	"github.com/braidhq/braid/test/client"
)

// mailboxSize is how many mails the mailbox keeps: as many as it may be told to, which are those of some ten minutes.
func mailboxSize(t *testing.T) int {
	t.Helper()
	return readNumber(t, "BRAID_TEST_KILL_MAILBOX", 10_000)
}

// mailbox is what the mailbox holds at the end.
type mailbox struct {
	// mails counts the mails about tasks by delivery.
	mails map[string]int
	// since is when the oldest mail came, if the mailbox is full and may have held older ones. Every younger mail is there.
	since time.Time
}

// read reads a mailbox that keeps the newest mails, size of them.
func (m *mailbox) read(ctx context.Context, speaker *client.Client, size int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, speaker.AdminURL+"/mailbox/messages?limit="+strconv.Itoa(size), nil)
	if err != nil {
		return err
	}
	response, err := speaker.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var box struct {
		Messages []struct {
			client.Mail
			ReceiveTime time.Time `json:"receiveTime"`
		} `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&box); err != nil {
		return fmt.Errorf("read the mailbox: %w", err)
	}
	m.mails = map[string]int{}
	for _, mail := range box.Messages {
		// Codes, invitations, and what owners are told of deletions, are none of the writers' doing.
		if !strings.HasPrefix(mail.Headers["xCorrelationId"], "kill-") {
			continue
		}
		deliveryID, _, _ := strings.Cut(strings.TrimPrefix(mail.Headers["messageId"], "<"), "@")
		m.mails[deliveryID]++
	}
	if len(box.Messages) >= size {
		m.since = box.Messages[len(box.Messages)-1].ReceiveTime
	}
	return nil
}

// reach says how far back the mailbox goes.
func (m *mailbox) reach() string {
	if m.since.IsZero() {
		return ""
	}
	return " (which is full and begins at " + m.since.Format(time.TimeOnly) + ")"
}

// checkMails counts ends of deliveries, which are exactly once, and looks for their mails, of which there may be more with
// the same Message-ID. A mail must be in the mailbox if what it tells of happened after the oldest mail there came.
func (f *findings) checkMails(tenants []*tenant, _ *ledger) (found problems) {
	happened := map[string]time.Time{}
	for _, event := range f.taskEvents {
		happened[event.CorrelationID] = event.Time
	}
	ends := map[string]int{}
	for _, end := range f.deliveries {
		ends[end.id]++
		at, known := happened[end.correlationID]
		switch {
		case end.failed:
			found.add("delivery %s was given up", end.id)
		case ends[end.id] > 1:
			found.add("delivery %s ended %d times", end.id, ends[end.id])
		case !known:
			found.add("delivery %s tells of %s, which has no event", end.id, end.correlationID)
		case f.mailbox.mails[end.id] == 0 && at.After(f.mailbox.since):
			found.add("delivery %s has ended, and its mail is not in the mailbox", end.id)
		}
	}
	for deliveryID := range f.mailbox.mails {
		if ends[deliveryID] == 0 {
			found.add("a mail of delivery %s is in the mailbox, and nobody was told of its end", deliveryID)
		}
	}
	if wanted := f.mailsWanted(tenants); len(ends) != wanted {
		found.add("%d mails are due, %d are told to be sent", wanted, len(ends))
	}
	return found
}

// mailsWanted counts the mails about tasks: one per notification of those who have not turned them off.
func (f *findings) mailsWanted(tenants []*tenant) int {
	wanted := 0
	for notice, count := range notices(f.taskEvents) {
		for _, tenant := range tenants {
			if notice.userID == tenant.mailed.ID {
				wanted += count
			}
		}
	}
	return wanted
}

// TestMissingMailsAreFound keeps the check from growing toothless. It kills nothing.
func TestMissingMailsAreFound(t *testing.T) {
	t.Parallel()
	const deliveryID, correlationID = "delivery", "kill-a0-1"
	ben, happened := id.New(), time.Now()
	found := func(ends []delivery, held map[string]int, since time.Time) problems {
		looked := &findings{deliveries: ends, mailbox: mailbox{mails: held, since: since}, taskEvents: []taskEvent{{
			Event: bus.Event{CorrelationID: correlationID, Time: happened}, task: &workflowv1.Task{}, concerned: []string{ben.String()},
		}}}
		return looked.checkMails([]*tenant{{mailed: &client.Person{ID: ben.String()}}}, nil)
	}
	sent := delivery{id: deliveryID, correlationID: correlationID}
	there, none := map[string]int{deliveryID: 1}, map[string]int{}

	require.Empty(t, found([]delivery{sent}, there, time.Time{}))
	require.Empty(t, found([]delivery{sent}, map[string]int{deliveryID: 2}, time.Time{}), "sent again, with the same Message-ID")
	require.Empty(t, found([]delivery{sent}, none, happened.Add(time.Second)), "younger mails have taken its place")

	require.Len(t, found([]delivery{sent}, none, time.Time{}), 1, "the mailbox has room, and the mail is not there")
	require.Len(t, found([]delivery{sent}, none, happened.Add(-time.Second)), 1, "older mails are still there")
	require.Len(t, found(nil, none, happened.Add(time.Second)), 1, "a mail is due, and none was told to be sent")
	require.Len(t, found([]delivery{sent, sent}, there, time.Time{}), 1, "one mail ends twice")
	require.Len(t, found([]delivery{{id: deliveryID, correlationID: correlationID, failed: true}}, there, time.Time{}), 1)
	require.Len(t, found([]delivery{{id: deliveryID, correlationID: "other"}}, there, time.Time{}), 1)
	require.Len(t, found([]delivery{sent}, map[string]int{deliveryID: 1, "other": 1}, time.Time{}), 1, "a mail of nobody's")
}
