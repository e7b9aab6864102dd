package kill_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	workflowv1 "github.com/braidhq/braid/gen/go/braid/workflow/v1"
	"github.com/braidhq/braid/platform/bus"
	"github.com/braidhq/braid/test/client"
	"github.com/braidhq/braid/test/deployment"
)

const (
	// settleTimeout bounds the wait for effects. What is not there by then is lost.
	settleTimeout = 4 * time.Minute
	settlePoll    = 250 * time.Millisecond
)

// findings are what is there at the end, read from outside.
type findings struct {
	wire       *wire
	taskEvents []taskEvent
	deliveries []delivery
	// records are the audit trails, by organization.
	records map[string][]map[string]any
	// notices counts what is in people's inboxes.
	notices map[notice]int
	// tasks and comments are what the lists answer, by id.
	tasks    map[string]*workflowv1.Task
	comments map[string]*workflowv1.Comment
	// mails counts the mails about tasks by Message-ID.
	mails map[string]int
}

// look waits until every effect is there that must be, or for settleTimeout, and reads all of it.
func look(t *testing.T, running *deployment.Deployment, connection bus.Connection, tenants []*tenant, ledger *ledger) *findings {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTimeout)
	defer cancel()
	speaker := client.New(running.URL, running.AdminURL)
	begun, last := time.Now(), ""
	for {
		found, err := readEffects(t.Context(), speaker, connection, tenants)
		missing := ""
		if err == nil {
			missing = found.missing(tenants, ledger)
		}
		if err == nil && (missing == "" || ctx.Err() != nil) {
			t.Logf("settled in %s; missing: %q; before: %q", time.Since(begun).Round(time.Millisecond), missing, last)
			require.NoError(t, found.readState(t.Context(), speaker, tenants, ledger))
			return found
		}
		if ctx.Err() != nil {
			require.NoError(t, err)
		}
		last = missing
		pause(ctx, settlePoll)
	}
}

// readEffects reads what the writes have caused.
func readEffects(ctx context.Context, speaker *client.Client, connection bus.Connection, tenants []*tenant) (*findings, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	found := &findings{
		records: map[string][]map[string]any{}, notices: map[notice]int{}, tasks: map[string]*workflowv1.Task{},
		comments: map[string]*workflowv1.Comment{}, mails: map[string]int{},
	}
	var err error
	if found.wire, err = readWire(ctx, connection); err != nil {
		return nil, err
	}
	if found.taskEvents, err = found.wire.taskEvents(); err != nil {
		return nil, err
	}
	if found.deliveries, err = found.wire.deliveries(); err != nil {
		return nil, err
	}
	for _, tenant := range tenants {
		found.records[tenant.id], err = listAll(ctx, speaker, tenant.owner, tenant.path+"/audit-events", "auditEvents")
		if err != nil {
			return nil, err
		}
		for _, person := range tenant.people {
			if err := found.readInbox(ctx, speaker, person); err != nil {
				return nil, err
			}
		}
		if err := found.readMails(ctx, speaker, tenant.mailed.Email); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (f *findings) readInbox(ctx context.Context, speaker *client.Client, person *client.Person) error {
	items, err := listAll(ctx, speaker, person, "/api/v1/me/notifications", "notifications")
	if err != nil {
		return err
	}
	for _, item := range items {
		text := func(key string) string {
			value, _ := item[key].(string)
			return value
		}
		at, err := time.Parse(time.RFC3339Nano, text("createTime"))
		if err != nil {
			return fmt.Errorf("read a notification: %w", err)
		}
		f.notices[notice{person.ID, text("kind"), text("taskId"), text("actorId"), at.UnixMicro()}]++
	}
	return nil
}

// readMails counts a person's mails about tasks in the mailbox.
func (f *findings) readMails(ctx context.Context, speaker *client.Client, email string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		speaker.AdminURL+"/mailbox/messages?limit=10000&to="+url.QueryEscape(email), nil)
	if err != nil {
		return err
	}
	response, err := speaker.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var box struct {
		Messages []client.Mail `json:"messages"`
	}
	if err := json.NewDecoder(response.Body).Decode(&box); err != nil {
		return fmt.Errorf("read the mailbox: %w", err)
	}
	for _, mail := range box.Messages {
		// Codes and invitations were mailed before the first kill.
		if client.CodePattern.MatchString(mail.Text) || client.TokenPattern.MatchString(mail.Text) {
			continue
		}
		f.mails[mail.Headers["messageId"]]++
	}
	return nil
}

// readState reads the tasks of every project, and the comments of every task that somebody has commented.
func (f *findings) readState(ctx context.Context, speaker *client.Client, tenants []*tenant, ledger *ledger) error {
	for _, tenant := range tenants {
		for _, project := range tenant.projects {
			items, err := listAll(ctx, speaker, tenant.owner, tenant.path+"/projects/"+project+"/tasks", "tasks")
			if err != nil {
				return err
			}
			for _, item := range items {
				task := &workflowv1.Task{}
				if err := decode(item, task); err != nil {
					return err
				}
				if f.tasks[task.GetId()] != nil {
					return fmt.Errorf("the list shows task %s twice", task.GetId())
				}
				f.tasks[task.GetId()] = task
			}
		}
	}
	commented := map[string]*tenant{}
	for _, done := range ledger.acknowledged {
		if done.comment != nil {
			commented[done.comment.GetTaskId()] = done.tenant
		}
	}
	for taskID, tenant := range commented {
		items, err := listAll(ctx, speaker, tenant.owner, tenant.path+"/tasks/"+taskID+"/comments", "comments")
		if err != nil {
			return err
		}
		for _, item := range items {
			comment := &workflowv1.Comment{}
			if err := decode(item, comment); err != nil {
				return err
			}
			if f.comments[comment.GetId()] != nil {
				return fmt.Errorf("the list shows comment %s twice", comment.GetId())
			}
			f.comments[comment.GetId()] = comment
		}
	}
	return nil
}

// decode reads an item of a JSON list as what the contract calls it.
func decode(item map[string]any, message proto.Message) error {
	encoded, err := json.Marshal(item)
	if err != nil {
		return err
	}
	return protojson.Unmarshal(encoded, message)
}

// missing says what must still come, or nothing. Doubles are for later: they don't go away.
func (f *findings) missing(tenants []*tenant, ledger *ledger) string {
	told := map[string]bool{}
	for _, event := range f.taskEvents {
		told[event.CorrelationID] = true
	}
	for _, done := range ledger.acknowledged {
		if !told[done.correlationID] {
			return fmt.Sprintf("the event of %s is not on its topic", done.correlationID)
		}
	}
	for wanted, count := range notices(f.taskEvents) {
		if f.notices[wanted] < count {
			return fmt.Sprintf("the notification %+v has not come", wanted)
		}
	}
	if ended, wanted := len(f.deliveries), f.mailsWanted(tenants); ended < wanted {
		return fmt.Sprintf("%d of %d mails are sent", ended, wanted)
	}
	for _, tenant := range tenants {
		recorded := map[string]bool{}
		for _, record := range f.records[tenant.id] {
			recorded[textOf(record, "eventId")] = true
		}
		for _, event := range f.wire.events {
			if event.OrganizationID.String() == tenant.id && !recorded[event.ID.String()] {
				return fmt.Sprintf("event %s (%s) has no audit record", event.ID, event.Type)
			}
		}
	}
	return ""
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

func textOf(item map[string]any, key string) string {
	text, _ := item[key].(string)
	return text
}
